"""Destination folders: the places of sorted photos."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from daemon.destinations import sidecar
from daemon.destinations.move import Move
from daemon.fs import dirfd, names
from daemon.inbox.claims import Claims
from daemon.photo import UNREAD_SHA256, Destination
from daemon.settings import FolderSettings


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
            None: self._absolute(folders.failed),
        }
        self._claims = claims

    def make_folders(self) -> None:
        """Creates missing destination folders; the first duplicate creates the folder for duplicates.

        Raises:
            OSError: A folder cannot be created.
        """
        for destination, folder in self._folders.items():
            if destination != "duplicate":
                _make(folder)

    def choose(self, destination: Destination, path: bytes, sha256: str, reserved: set[bytes]) -> bytes:
        """Chooses the first free place for a photo.

        Args:
            destination: Folder of the photo.
            path: Path of the photo in the inbox; its sub-folders are kept.
            sha256: Digest of the photo.
            reserved: Places of photos that have not moved yet. The chosen place is added, and that of its sidecar.

        Returns:
            The place.

        Raises:
            OSError: The folder cannot be read.
        """
        parent, name = dirfd.split(path)
        folder = self._folders[destination]
        with _open_existing(folder, parent) as fd:

            def needed(candidate: bytes) -> list[bytes]:
                return [candidate] if destination else [candidate, sidecar.name_of(candidate, sha256)]

            def places(candidate: bytes) -> list[bytes]:
                return [self.place(os.path.join(folder, parent, file)) for file in needed(candidate)]

            def is_taken(candidate: bytes) -> bool:
                if not reserved.isdisjoint(places(candidate)):
                    return True
                return fd is not None and any(dirfd.exists(fd, file) for file in needed(candidate))

            # With the name of its digest, the sidecar of a second copy would be taken whatever the photo's number.
            free = names.candidates(name, is_taken, suffix_bytes=0 if destination else len(sidecar.SUFFIX))
            chosen = places(next(free))
        reserved.update(chosen)
        return chosen[0]

    def is_on_device_of_inbox(self, destination: Destination) -> bool:
        """Whether a folder is on the device of the inbox, so that photos are renamed into it and not copied.

        Raises:
            OSError: The folder cannot be reached.
        """
        return os.stat(self._folders[destination]).st_dev == os.fstat(self._claims.inbox_fd).st_dev

    def fits_settings(self, move: Move) -> bool:
        """Whether a target is in the folder that the settings name; they may have changed since the row was written."""
        return os.path.join(self._root, move.target).startswith(self._folders[move.destination] + b"/")

    def has_photo(self, place: bytes, identity: str, sha256: str, *, claimed: bool) -> bool:
        """Whether a place has the photo of a row.

        Args:
            place: Place that the row names.
            identity: Device and inode in the row.
            sha256: Digest in the row.
            claimed: Whether a file is in the claim folder too.

        Raises:
            OSError: The file cannot be read.
        """
        with self.open_existing(place) as (fd, name):
            if fd is None or not dirfd.exists(fd, name):
                return False
            stat = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if dirfd.identity(stat) == identity:
                return True
            # A rename leaves a photo in only one of the two places, so this is another photo, even with the same bytes.
            if claimed and stat.st_dev == os.fstat(self._claims.inbox_fd).st_dev:
                return False
            # Another filesystem, or one whose device number changed at a reboot.
            return dirfd.is_regular(stat) and sha256 != UNREAD_SHA256 and dirfd.sha256(fd, name) == sha256

    def split(self, place: bytes) -> tuple[bytes, bytes]:
        """Splits a place into its destination folder and the path in it.

        A place outside all destination folders (settings change) counts as a file of its own folder.
        """
        path = os.path.join(self._root, place)
        parents = [folder for folder in self._folders.values() if path.startswith(folder + b"/")]
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
        with _open(folder, parent, create=create) as fd:
            yield fd, name

    @contextmanager
    def open_existing(self, place: bytes) -> Iterator[tuple[int | None, bytes]]:
        """Opens the folder of a place as `open_folder` does; the descriptor is None when there is no such folder."""
        folder, path = self.split(place)
        parent, name = dirfd.split(path)
        with _open_existing(folder, parent) as fd:
            yield fd, name

    def is_in(self, place: bytes, destination: Destination) -> bool:
        """Whether a place is in the folder of a destination."""
        return self.split(place)[0] == self._folders[destination]

    def exists(self, place: bytes) -> bool:
        """Whether a place has a file.

        Raises:
            OSError: The folder cannot be read.
        """
        with self.open_existing(place) as (fd, name):
            return fd is not None and dirfd.exists(fd, name)

    def has_left(self, place: bytes, identity: str | None) -> bool:
        """Whether a claimed photo of a row's bytes may have been moved by hand from the row's place back to the inbox.

        Args:
            place: Place that the row names.
            identity: Device and inode in the row, if they are those of the claimed photo; None if the photo has others,
                as after a move from another filesystem.

        Raises:
            OSError: The folder cannot be read.
        """
        with self.open_existing(place) as (fd, name):
            if fd is None:  # its filesystem may be away
                return identity is not None
            if identity is None and os.fstat(fd).st_dev == os.fstat(self._claims.inbox_fd).st_dev:
                return False
            try:
                stat = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                return True
            return identity is not None and dirfd.identity(stat) != identity

    def place(self, path: bytes) -> bytes:
        """Returns the place of an absolute path."""
        inside = path.startswith(self._root + b"/")
        return path[len(self._root) + 1 :] if inside else path

    def _absolute(self, setting: str) -> bytes:
        return os.path.normpath(os.path.join(self._root, os.fsencode(setting)))


@contextmanager
def _open_existing(folder: bytes, path: bytes) -> Iterator[int | None]:
    """Descriptor of the folder `path` in a destination folder; None when it is missing or no folder."""
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(_open(folder, path))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            fd = None
        yield fd


@contextmanager
def _open(folder: bytes, path: bytes, *, create: bool = False) -> Iterator[int]:
    """Descriptor of the folder `path` in a destination folder, created on request. Raises OSError."""
    if create:
        _make(folder)
    root = dirfd.open_root(folder)
    try:
        with dirfd.open_folder(root, path, create=create) as fd:
            yield fd
    finally:
        os.close(root)


def _make(folder: bytes) -> None:
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        dirfd.sync_folder(os.path.dirname(folder))
