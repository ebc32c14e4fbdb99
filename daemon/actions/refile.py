"""A filed photo's way to the folder of another label on the disk: never over anything, never half."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from daemon.actions.locate import PhotoLocator
from daemon.actions.restore import CannotMove, InboxRestorer
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd, names
from daemon.fs.cross_device import Entry, OnCopied
from daemon.inbox.claims import Claims
from daemon.photo import Destination
from daemon.queries.selection import Photo
from daemon.settings import FolderSettings


class Refiler:
    """The destination folders of one root, between which photos move."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._way, self._destinations = InboxRestorer(root, folders, claims), DestinationFolders(root, folders, claims)
        self._whereabouts = PhotoLocator(self._way, engine)

    def stat(self, photo: Photo) -> os.stat_result:
        """stat of a photo at its place. Raises CannotMove when it is not there, or no longer that photo."""
        return self._whereabouts.stat(photo)

    def target(self, photo: Photo, fate: Destination, taken: set[bytes]) -> bytes:
        """The first free place for a photo in the folder of a fate; its own, when it lies in there already.

        taken: places promised to others; the one chosen is added. Raises CannotMove when that folder cannot be looked into.
        """
        if self._destinations.is_in(photo.path, fate):
            return photo.path
        parent, _ = dirfd.split(photo.inbox_path)
        path = dirfd.join(parent, os.path.basename(photo.path))
        try:
            return self._destinations.choose(fate, path, photo.sha256, taken)
        except OSError as error:
            raise CannotMove(f"cannot be moved: {error.strerror}") from error

    def find(self, photo: Photo, target: bytes) -> tuple[bool, bool]:
        """Whether a photo lies at the place that it goes to, and whether at the one that it comes from. Raises CannotMove."""
        stat, left = self._look(target), self._look(photo.path)
        arrived = stat is not None and dirfd.identity(stat) == photo.identity
        if stat and left and arrived and left.st_dev == stat.st_dev:
            # A rename leaves it in one of both places; in both it is where a link had to stand in for one.
            return True, dirfd.identity(left) == photo.identity
        there = self._whereabouts.lies_there(photo, arrived=False)
        # By size and time only when it can be no other: a device's number may change at a reboot.
        return arrived or (stat is not None and not there and photo.looks_like(stat)), there

    def has_arrived(self, photo: Photo, target: bytes) -> bool:
        """Whether a photo, or the copy that its row knows, lies at a place. Raises CannotMove when that cannot be told."""
        stat = self._look(target)
        return stat is not None and dirfd.identity(stat) == photo.identity

    def move(self, photo: Photo, target: bytes, going: Callable[[bytes], None], whole: OnCopied) -> bytes:
        """Moves a photo to its place, or to the next that is free beside it; returns which.

        going: called with another place before it goes there. whole: called with the stat of a copy before it has its name.
        Raises OSError; unless its last step failed, the photo is where it was.
        """
        folder_of, above = self._destinations.folder_of, os.path.dirname(target)
        with folder_of(photo.path) as (source, old), folder_of(target, create=True) as (folder, name):

            def attempt(new: bytes) -> None:
                if new != name:
                    going(dirfd.join(above, new))
                self._way.rename(Entry(source, old), Entry(folder, new), photo, whole)

            name_there = names.use_first_free(itertools.chain([name], names.candidates(old)), attempt)
            dirfd.sync(folder)
            dirfd.sync(source)
        return dirfd.join(above, name_there)

    def drop(self, photo: Photo) -> None:
        """Removes what is left of a photo where it came from. Raises OSError."""
        self._way.drop(photo)

    def _look(self, place: bytes) -> os.stat_result | None:
        try:
            with self._destinations.folder_of(place) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotMove(f"cannot be looked for: {error.strerror}") from error
