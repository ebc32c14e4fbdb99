"""Deletes failed photos: the file goes, its row stays.

The row records the deletion before the file goes, so that recovery can complete it if the process is killed in between.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import PhotoLocator, file_columns
from daemon.actions.restore import CannotMove, InboxRestorer, SourceChanged
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.database.rows import update_if_state
from daemon.destinations import sidecar
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import DELETED, DELETING, FAILED, State
from daemon.queries.photo_rows import Photo, in_chunks
from daemon.queries.selection import PhotoSelection
from daemon.settings import FolderSettings


class DeleteAction:
    """Deletes failed photos. The caller holds the action lock."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._restorer = InboxRestorer(root, folders, claims)
        self._locator = PhotoLocator(self._restorer, engine)
        self._engine = engine
        self._root = root

    def remove(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes failed photos and their error sidecars; never a file that is no longer the one that failed."""
        for chunk in in_chunks(photos):
            begun, refused = self._begin(chunk)
            failpoints.failpoint("deleting")
            yield from in_order(chunk, refused + self._remove_all(begun))

    def recover(self) -> Iterator[ActionResult]:
        """Completes the deletions of a process that was killed; a file that is no longer that photo stays."""
        for photo in PhotoSelection(self._engine, self._root, (DELETING,)).all():
            try:
                yield from self._remove_all([self._locate(photo)])
            except SourceChanged:
                self._set_state(photo, DELETED)
                yield ActionResult(photo, photo.path)
            except CannotMove as problem:
                yield ActionResult(photo, problem=str(problem))

    def _begin(self, photos: list[Photo]) -> tuple[list[Photo], list[ActionResult]]:
        """Records the deletions in one transaction; returns the photos to remove, and the results of the others."""
        located = []
        begun = []
        refused = []
        for photo in photos:
            try:
                located.append(self._locate(photo))
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
        with self._engine.begin() as connection:
            for photo in located:
                columns = {
                    "identity": photo.identity,
                    "size_bytes": photo.size_bytes,
                    "modified_at": photo.modified_at,
                }
                if update_if_state(connection, photo.id, (FAILED,), state=DELETING, **columns):
                    begun.append(photo)
                else:
                    refused.append(ActionResult(photo, problem=BUSY))
        return begun, refused

    def _locate(self, photo: Photo) -> Photo:
        """A photo with the identity, size and time of its file.

        Raises:
            SourceChanged: The file is not there, or is no longer as it was when it failed.
            CannotMove: The file cannot be reached or read.
        """
        stat = self._locator.stat(photo)
        # A photo repaired in its place is to be sorted, not deleted. And an inode is soon given to another file.
        if not photo.looks_like(stat) and not self._restorer.has_same_bytes(photo, has_arrived=False):
            raise SourceChanged("is no longer as it was when it failed; `foodsort retry PATH` sorts it")
        return photo._replace(**file_columns(stat))

    def _remove_all(self, photos: list[Photo]) -> list[ActionResult]:
        removed = []
        failed = []
        for photo in photos:
            try:
                self._remove(photo)
                failpoints.failpoint("deleted")
                removed.append(photo)
            except OSError as error:
                self._set_state(photo, FAILED)
                failed.append(ActionResult(photo, problem=f"cannot be deleted: {error.strerror}"))
        with self._engine.begin() as connection:
            for photo in removed:
                update_if_state(connection, photo.id, (DELETING,), state=DELETED)
        return failed + [ActionResult(photo, photo.path) for photo in removed]

    def _remove(self, photo: Photo) -> None:
        with self._restorer.open_folder(photo) as (folder, name):
            stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if dirfd.identity(stat) != photo.identity or not photo.looks_like(stat):
                raise OSError(0, "another file has taken its place")
            # The sidecar first: while the photo has its name, no other failed photo gets that name.
            with sidecar.removed(folder, name, photo.sha256):
                failpoints.failpoint("unexplained")
                os.unlink(name, dir_fd=folder)
            dirfd.sync(folder)

    def _set_state(self, photo: Photo, state: State) -> None:
        with self._engine.begin() as connection:
            update_if_state(connection, photo.id, (DELETING,), state=state)
