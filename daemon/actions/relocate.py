"""Moves a filed photo to the folder of another label on the disk, without overwriting."""

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
from daemon.queries.photo_rows import Photo
from daemon.settings import FolderSettings
from models import Label


class Relocator:
    """The destination folders of one root, between which photos move."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._destinations = DestinationFolders(root, folders, claims)
        self.restorer = InboxRestorer(root, folders, claims)
        self.locator = PhotoLocator(self.restorer, engine)

    def choose_target(self, photo: Photo, label: Label, promised: set[bytes]) -> bytes:
        """The first free place for a photo in the folder of a label; its own place if it is in that folder already.

        Args:
            photo: The photo.
            label: The label whose folder is wanted.
            promised: Places promised to other photos; the chosen one is added.

        Raises:
            CannotMove: The folder cannot be read.
        """
        if self._destinations.is_in(photo.path, label):
            return photo.path
        parent, _ = dirfd.split(photo.inbox_path)
        path = dirfd.join(parent, os.path.basename(photo.path))
        try:
            return self._destinations.choose(label, path, photo.sha256, promised)
        except OSError as error:
            raise CannotMove(f"cannot be moved: {error.strerror}") from error

    def find(self, photo: Photo, target: bytes) -> tuple[bool, bool]:
        """Whether a photo is at its target, and whether it is at the place that it left.

        Raises:
            CannotMove: One of the places cannot be read.
        """
        target_stat = self._stat(target)
        source_stat = self._stat(photo.path)
        has_arrived = target_stat is not None and dirfd.identity(target_stat) == photo.identity
        if target_stat and source_stat and has_arrived and source_stat.st_dev == target_stat.st_dev:
            # A rename leaves it in one of the two places; it is in both if a hard link had to replace the rename.
            return True, dirfd.identity(source_stat) == photo.identity
        is_at_source = self.locator.is_at_place(photo, has_arrived=False)
        if has_arrived or target_stat is None:
            return has_arrived, is_at_source
        # By size and time only if it can be no other file: a device's number may change at a reboot.
        return not is_at_source and photo.looks_like(target_stat), is_at_source

    def is_at(self, place: bytes, identity: str) -> bool:
        """Whether the file with this device and inode is at a place.

        Raises:
            CannotMove: The place cannot be read.
        """
        stat = self._stat(place)
        return stat is not None and dirfd.identity(stat) == identity

    def move(self, photo: Photo, target: bytes, *, on_target: Callable[[bytes], None], on_copied: OnCopied) -> bytes:
        """Moves a photo to its target, or to the next free place beside it.

        Args:
            photo: The photo, with the path where it is.
            target: The place that its row names.
            on_target: Called with another target before the photo moves there.
            on_copied: Called with the stat of a copy before the copy gets its name.

        Returns:
            The place.

        Raises:
            OSError: The photo is where it was, unless the last step failed.
        """
        open_folder = self._destinations.open_folder
        parent = os.path.dirname(target)
        with open_folder(photo.path) as (source, old), open_folder(target, create=True) as (folder, name):

            def attempt(new: bytes) -> None:
                if new != name:
                    on_target(dirfd.join(parent, new))
                self.restorer.move_entry(Entry(source, old), Entry(folder, new), photo, on_copied)

            free = names.candidates(old, lambda candidate: dirfd.exists(folder, candidate))
            free_name = names.use_first_free(itertools.chain([name], free), attempt)
            dirfd.sync(folder)
            dirfd.sync(source)
        return dirfd.join(parent, free_name)

    def _stat(self, place: bytes) -> os.stat_result | None:
        try:
            with self._destinations.open_folder(place) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotMove(f"cannot be looked for: {error.strerror}") from error
