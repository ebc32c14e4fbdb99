"""Moves a photo back into the inbox on the disk: overwrites nothing, and records each step in the photo's row first."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd, names
from daemon.fs.cross_device import Entry, FileMover, OnCopied
from daemon.inbox.claims import Claims
from daemon.queries.photo_rows import Photo
from daemon.settings import FolderSettings
from models.errors import FoodsortError


class CannotMove(FoodsortError):
    """Raised when a photo cannot be moved or deleted. The message has the reason."""


class SourceChanged(CannotMove):
    """Raised when a photo's place is empty or has another file."""


class InboxRestorer:
    """The inbox of one root, and the folders that photos come back from."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims) -> None:
        self._inbox = os.path.normpath(os.fsencode(root.absolute() / folders.inbox))
        self._destinations = DestinationFolders(root, folders, claims)
        self._claims = claims
        self._file_mover = FileMover()

    def place_of(self, path: bytes) -> bytes:
        """A path of the inbox as rows name places."""
        return self._destinations.place(os.path.join(self._inbox, path))

    def stat_in_inbox(self, photo: Photo) -> os.stat_result | None:
        """Stat of the inbox path that a row names; None if nothing is there."""
        return self._claims.stat(photo.inbox_path)

    def free_paths(self, path: bytes) -> Iterator[bytes]:
        """Free paths in the inbox: `path` itself first, then with numbers."""
        parent, name = dirfd.split(path)
        folder = os.path.join(self._inbox, parent)
        for candidate in names.candidates(name, lambda taken: os.path.lexists(os.path.join(folder, taken))):
            yield dirfd.join(parent, candidate)

    def stat(self, photo: Photo) -> os.stat_result:
        """Stat of the file at a photo's place.

        Raises:
            SourceChanged: Nothing is there.
            CannotMove: The place cannot be reached.
        """
        try:
            with self.open_folder(photo) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError as error:
            raise SourceChanged("is no longer there") from error
        except OSError as error:
            raise CannotMove(f"cannot be reached: {error.strerror}") from error

    def sha256(self, photo: Photo) -> str:
        """The digest of the file at a photo's place.

        Raises:
            CannotMove: The file cannot be read.
        """
        try:
            with self.open_folder(photo) as (folder, name):
                return dirfd.sha256(folder, name)
        except OSError as error:
            raise CannotMove(f"cannot be read: {error.strerror}") from error

    def has_same_bytes(self, photo: Photo, *, has_arrived: bool) -> bool:
        """Whether the file at a photo's place has its bytes; if the photo `has_arrived` in the inbox, it is a copy.

        Raises:
            CannotMove: The file cannot be read.
        """
        try:
            return self._destinations.has_photo(photo.path, "", photo.sha256, claimed=has_arrived)
        except OSError as error:
            raise CannotMove(f"cannot be read: {error.strerror}") from error

    def open_folder(self, photo: Photo) -> AbstractContextManager[tuple[int, bytes]]:
        """Descriptor of the folder that a photo is in, and the photo's name there. Raises OSError."""
        return self._destinations.open_folder(photo.path)

    def move(self, photo: Photo, *, on_target: Callable[[bytes], None], on_copied: OnCopied) -> bytes:
        """Moves a photo to the inbox path that its row names, or to the next free one.

        Args:
            photo: The photo; its row names the target.
            on_target: Called with another target before the photo moves there.
            on_copied: Called with the stat of a copy before the copy gets its name.

        Returns:
            The path in the inbox.

        Raises:
            OSError: The photo is where it was, unless the last step failed.
        """
        with self.open_folder(photo) as (source, name), _without_sidecar(source, name, photo):
            attempt = partial(self._move_to, Entry(source, name), photo, on_target, on_copied)
            target = names.use_first_free(self.free_paths(photo.inbox_path), attempt)
            dirfd.sync(source)
        return target

    def remove_source(self, photo: Photo) -> None:
        """Removes the original of a photo that was copied. Raises OSError."""
        with self.open_folder(photo) as (folder, name):
            os.unlink(name, dir_fd=folder)
            dirfd.sync(folder)

    def touch(self, photo: Photo) -> None:
        """Opens a photo in the inbox for writing and closes it: the daemon gets an event, and nothing changes."""
        parent, name = dirfd.split(photo.inbox_path)
        try:
            with dirfd.open_folder(self._claims.inbox_fd, parent) as folder:
                flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(name, flags, dir_fd=folder))
        except OSError:  # then a rescan finds it
            return

    def move_entry(self, source: Entry, target: Entry, photo: Photo, on_copied: OnCopied) -> None:
        """Renames a photo without overwriting; copies it to another filesystem. Raises OSError."""
        self._file_mover.move(source, target, photo.id, partial(_sha256_of_removable, source), on_copied)

    def _move_to(
        self,
        source: Entry,
        photo: Photo,
        on_target: Callable[[bytes], None],
        on_copied: OnCopied,
        target: bytes,
    ) -> None:
        if target != photo.inbox_path:
            on_target(target)
        parent, name = dirfd.split(target)
        with dirfd.open_folder(self._claims.inbox_fd, parent, create=True) as folder:
            self.move_entry(source, Entry(folder, name), photo, on_copied)
            dirfd.sync(folder)


def _sha256_of_removable(source: Entry) -> str:
    """The digest of a file that is about to be copied; refuses a file that could not be removed afterwards.

    It is not the row's digest: a failed photo may have been repaired in its place.
    """
    if not os.access(f"/proc/self/fd/{source.folder}", os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return dirfd.sha256(source.folder, source.name)


def _without_sidecar(folder: int, name: bytes, photo: Photo) -> AbstractContextManager[None]:
    return sidecar.removed(folder, name, photo.sha256) if photo.error_kind else nullcontext()
