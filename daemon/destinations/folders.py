"""Destination folders: the places of sorted photos."""

import errno
import os
from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from daemon.destinations.mount_guard import MountGuard
from daemon.destinations.move import Move
from daemon.destinations.subfolders import usable_path
from daemon.fs import dirfd, names, part
from daemon.fs.entry import Entry
from daemon.inbox.claims import Claims
from daemon.inbox.companions import possible_companions
from daemon.photo import Destination
from daemon.retry import is_transient
from daemon.settings import FolderSettings
from models.filenames import escape_name


class DestinationFolders:
    """The destination folders of one root.

    A place is the path of a photo as rows name it: relative to the root when it is inside, else absolute.
    """

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims) -> None:
        self._root = os.fsencode(root.absolute())
        self._folders: dict[Destination, bytes] = {
            "food": self._absolute(folders.food),
            "non_food": self._absolute(folders.non_food),
            "unsure": self._absolute(folders.unsure or folders.non_food),
            "duplicate": self._absolute(folders.duplicates),
            "other": self._absolute(folders.other or folders.failed),
            None: self._absolute(folders.failed),
        }
        self._inbox = self._absolute(folders.inbox)
        self._claims = claims
        self._mounts = MountGuard()

    def make_folders(self) -> list[str]:
        """Creates missing destination folders; the first duplicate creates the folder for duplicates.

        Returns:
            Problems of folders that photos cannot move to, for people.

        Raises:
            OSError: The machine has a problem, such as a full disk.
        """
        problems = []
        for destination, folder in self._folders.items():
            try:
                if destination != "duplicate":
                    with self._open(folder, b"", create=True) as fd:
                        usable_path(fd, ())
            except OSError as error:
                if is_transient(error):
                    raise
                problems.append(f"no photo can move to {escape_name(folder)}: {error.strerror}")
        return problems

    def is_on_device_of_inbox(self, destination: Destination) -> bool:
        """Whether a folder is on the device of the inbox, so that photos are renamed into it and not copied.

        Raises:
            OSError: The folder cannot be reached.
        """
        return os.stat(self._folders[destination]).st_dev == self.device_of_inbox

    @property
    def device_of_inbox(self) -> int:
        """Device number of the inbox."""
        return os.fstat(self._claims.inbox_fd).st_dev

    def fits_settings(self, move: Move) -> bool:
        """Whether a target is in the folder that the settings name; they may have changed since the row was written."""
        return self.path(move.target).startswith(self._folders[move.destination] + b"/")

    def path(self, place: bytes) -> bytes:
        """Returns the absolute path of a place."""
        return os.path.join(self._root, place)

    def split(self, place: bytes) -> tuple[bytes, bytes]:
        """Splits a place into its folder, a destination or the inbox, and the path in it.

        A place outside all destination folders (settings change) counts as a file of its own folder.
        """
        path = self.path(place)
        folders = (*self._folders.values(), self._inbox)
        parents = [folder for folder in folders if path.startswith(folder + b"/")]
        folder = max(parents, key=len, default=os.path.dirname(path))
        return folder, path[len(folder) + 1 :]

    @contextmanager
    def open_folder(self, place: bytes, *, create: bool = False) -> Iterator[tuple[int, bytes]]:
        """Opens the folder of a place.

        Args:
            place: Place of a photo.
            create: Whether to create a missing folder.

        Yields:
            Descriptor of the folder, and the name in it.

        Raises:
            OSError: The folder cannot be opened.
        """
        folder, path = self.split(place)
        parent, name = dirfd.split(path)
        with self._open(folder, parent, create=create) as fd:
            yield fd, name

    @contextmanager
    def open_existing(self, place: bytes) -> Iterator[tuple[int | None, bytes]]:
        """Opens the folder of a place as `open_folder` does; the descriptor is None when there is no such folder."""
        folder, path = self.split(place)
        parent, name = dirfd.split(path)
        with self._open_existing(folder, parent) as fd:
            yield fd, name

    def folder(self, destination: Destination) -> bytes:
        """Returns the absolute path of a destination folder."""
        return self._folders[destination]

    def is_in(self, place: bytes, destination: Destination) -> bool:
        """Whether a place is in the folder of a destination."""
        return self.split(place)[0] == self._folders[destination]

    def exists(self, place: bytes) -> bool:
        """Whether a place has a file.

        Raises:
            OSError: The folder cannot be read.
        """
        with self.open_existing(place) as (fd, name):
            return fd is not None and Entry(fd, name).exists()

    def free_places(
        self, place: bytes, promised: Container[bytes] = (), *, with_companions: bool = False
    ) -> Iterator[bytes]:
        """Yields free places beside a place, itself first if it is free, then numbered.

        Args:
            place: The place.
            promised: Places that count as taken.
            with_companions: Whether the names of a photo's companions must be free too.

        Raises:
            OSError: The folder cannot be read.
        """
        parent, name = os.path.split(place)

        def is_taken(candidate: bytes) -> bool:
            needed = [candidate, *possible_companions(candidate)] if with_companions else [candidate]
            return any(os.path.join(parent, name) in promised for name in needed) or self._has_any(parent, needed)

        return (os.path.join(parent, candidate) for candidate in names.candidates(name, is_taken))

    def _has_any(self, folder: bytes, file_names: Iterable[bytes]) -> bool:
        with self.open_existing(os.path.join(folder, b"_")) as (fd, _):
            return fd is not None and any(Entry(fd, name).exists() for name in file_names)

    def sweep(self, places: Iterable[bytes]) -> None:
        """Removes unfinished copies from the folders of places, each folder once. Raises OSError."""
        for place in {os.path.dirname(place): place for place in places}.values():
            with self.open_existing(place) as (fd, _):
                if fd is not None:
                    part.sweep(fd)

    def place(self, path: bytes) -> bytes:
        """Returns the place of an absolute path."""
        inside = path.startswith(self._root + b"/")
        return path[len(self._root) + 1 :] if inside else path

    def place_in_inbox(self, path: bytes) -> bytes:
        """Returns the place of a path in the inbox."""
        return self.place(os.path.join(self._inbox, path))

    def path_in_inbox(self, place: bytes) -> bytes:
        """Returns the path in the inbox of a place there."""
        return self.path(place)[len(self._inbox) + 1 :]

    def is_in_inbox(self, place: bytes) -> bool:
        """Whether a place is in the inbox."""
        return self.path(place).startswith(self._inbox + b"/")

    def _absolute(self, setting: str) -> bytes:
        return os.path.normpath(os.path.join(self._root, os.fsencode(setting)))

    @contextmanager
    def _open_existing(self, folder: bytes, path: bytes) -> Iterator[int | None]:
        """Descriptor of the folder `path` in a destination folder; None when it is missing or no folder."""
        with ExitStack() as stack:
            try:
                fd = stack.enter_context(self._open(folder, path))
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                    raise
                fd = None
            yield fd

    @contextmanager
    def _open(self, folder: bytes, path: bytes, *, create: bool = False) -> Iterator[int]:
        """Descriptor of the folder `path` in a destination folder, created on request. Raises OSError."""
        if folder == self._inbox:  # by descriptor: another folder may be at its path since it was unmounted
            root = os.dup(self._claims.inbox_fd)
        else:
            if create and not os.path.isdir(folder):
                self._mounts.check_missing(folder)
                _make(folder)
            root = dirfd.open_root(folder)
        try:
            if folder != self._inbox:
                self._mounts.check(folder, root)
            with dirfd.open_folder(root, path, create=create) as fd:
                yield fd
        finally:
            os.close(root)


def _make(folder: bytes) -> None:
    os.makedirs(folder, exist_ok=True)
    dirfd.sync_folder(os.path.dirname(folder))
