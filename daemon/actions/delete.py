"""Failed photos that a person has no more use for: the file goes, its row stays.

The row says so before the file goes, so that a death in between can be mended.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import PhotoLocator, facts
from daemon.actions.restore import CannotMove, InboxRestorer, SourceChanged
from daemon.actions.undo import BUSY, ActionResult
from daemon.database.rows import update_if_state
from daemon.destinations import sidecar
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import DELETED, DELETING, FAILED, State
from daemon.queries.selection import WHY, Photo, PhotoSelection, in_chunks
from daemon.settings import FolderSettings

NOT_DELETED = {
    **WHY,
    "filed": "is sorted; only photos that failed are deleted",
    "duplicate": "is an exact copy that was set aside; only photos that failed are deleted",
}
"""Why a photo in a state is not deleted."""


class DeleteAction:
    """Removes failed photos for good. One at a time an inbox does so: see `lock.turn`."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._way = InboxRestorer(root, folders, claims)
        self._whereabouts = PhotoLocator(self._way, engine)
        self._engine, self._root = engine, root

    def delete(self, chosen: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes failed photos and the reasons beside them; never a file that is no longer the one that failed."""
        for some in in_chunks(chosen):
            begun, stay = self._begin(some)
            failpoints.failpoint("deleting")
            said = {back.photo.id: back for back in (*stay, *self._remove_all(begun))}
            yield from (said[photo.id] for photo in some)

    def mend(self) -> Iterator[ActionResult]:
        """Ends what a call that died had begun: what still is that photo goes."""
        for photo in PhotoSelection(self._engine, self._root, (DELETING,)).all():
            try:
                yield from self._remove_all([self._found(photo)])
            except SourceChanged:
                self._set(photo, DELETED)
                yield ActionResult(photo, photo.path)
            except CannotMove as stays:
                yield ActionResult(photo, problem=str(stays))

    def _begin(self, some: list[Photo]) -> tuple[list[Photo], list[ActionResult]]:
        """Records which photos are about to go, in one transaction; returns them and those that stay."""
        found, begun, stay = [], [], []
        for photo in some:
            try:
                found.append(self._found(photo))
            except CannotMove as stays:
                stay.append(ActionResult(photo, problem=str(stays)))
        with self._engine.begin() as connection:
            for photo in found:
                known = {"identity": photo.identity, "size_bytes": photo.size_bytes, "modified_at": photo.modified_at}
                if update_if_state(connection, photo.id, (FAILED,), state=DELETING, **known):
                    begun.append(photo)
                else:
                    stay.append(ActionResult(photo, problem=BUSY))
        return begun, stay

    def _found(self, photo: Photo) -> Photo:
        """A photo as it lies at its place. Raises CannotMove, and SourceChanged when it is not there, or not as it was when it failed."""
        stat = self._whereabouts.stat(photo)
        # Who has mended a photo where it lies wants it sorted, and an inode is soon given to another file.
        if not photo.looks_like(stat) and not self._way.has_its_bytes(photo, arrived=False):
            raise SourceChanged("is no longer as it was when it failed; `foodsort retry PATH` has it sorted")
        return photo._replace(**facts(stat))

    def _remove_all(self, begun: list[Photo]) -> list[ActionResult]:
        done, stay = [], []
        for photo in begun:
            try:
                self._remove(photo)
                failpoints.failpoint("deleted")
                done.append(photo)
            except OSError as error:
                self._set(photo, FAILED)
                stay.append(ActionResult(photo, problem=f"cannot be deleted: {error.strerror}"))
        with self._engine.begin() as connection:
            for photo in done:
                update_if_state(connection, photo.id, (DELETING,), state=DELETED)
        return stay + [ActionResult(photo, photo.path) for photo in done]

    def _remove(self, photo: Photo) -> None:
        with self._way.source(photo) as (folder, name):
            stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if dirfd.identity(stat) != photo.identity or not photo.looks_like(stat):
                raise OSError(0, "another file has taken its place")
            # The reason first: while the photo has its name, no other failure is given one.
            with sidecar.removed(folder, name, photo.sha256):
                failpoints.failpoint("unexplained")
                os.unlink(name, dir_fd=folder)
            dirfd.sync(folder)

    def _set(self, photo: Photo, state: State) -> None:
        with self._engine.begin() as connection:
            update_if_state(connection, photo.id, (DELETING,), state=state)
