"""A photo's way back into the inbox on the disk: never over anything, never half, never without its row knowing."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd, names
from daemon.fs.cross_device import Entry, FileMover, OnCopied
from daemon.inbox.claims import Claims
from daemon.queries.selection import Photo
from daemon.settings import FolderSettings
from models.errors import FoodsortError


class CannotMove(FoodsortError):
    """Raised when a photo cannot go back. The message says why."""


class SourceChanged(CannotMove):
    """Raised when what lies at a photo's place, if anything, is another file."""


class InboxRestorer:
    """The inbox of one root, and the folders that photos come back from."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims) -> None:
        self._inbox = os.path.normpath(os.fsencode(root.absolute() / folders.inbox))
        self._destinations = DestinationFolders(root, folders, claims)
        self._claims = claims
        self._mover = FileMover()

    def place(self, path: bytes) -> bytes:
        """A path of the inbox as rows name places."""
        return self._destinations.place(os.path.join(self._inbox, path))

    def look(self, photo: Photo) -> os.stat_result | None:
        """stat of the inbox place that a row names, None when nothing is there."""
        return self._claims.stat(photo.inbox_path)

    def free(self, path: bytes) -> Iterator[bytes]:
        """Free places in the inbox, the one that a photo came from first."""
        parent, name = dirfd.split(path)
        for candidate in names.candidates(name):
            target = dirfd.join(parent, candidate)
            if not os.path.lexists(os.path.join(self._inbox, target)):
                yield target

    def stat(self, photo: Photo) -> os.stat_result:
        """stat of a photo at the place that its row names. Raises SourceChanged, CannotMove."""
        try:
            with self.source(photo) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError as error:
            raise SourceChanged("is no longer there") from error
        except OSError as error:
            raise CannotMove(f"cannot be reached: {error.strerror}") from error

    def has_its_bytes(self, photo: Photo, *, arrived: bool) -> bool:
        """Whether a photo's bytes lie at the place that its row names, as a copy if it has `arrived` in the inbox, too.

        Raises CannotMove when that cannot be told.
        """
        try:
            return self._destinations.is_ours(photo.path, "", photo.sha256, claimed=arrived)
        except OSError as error:
            raise CannotMove(f"cannot be read: {error.strerror}") from error

    def source(self, photo: Photo) -> AbstractContextManager[tuple[int, bytes]]:
        """Descriptor of the folder that a photo lies in, and its name there. Raises OSError."""
        return self._destinations.folder_of(photo.path)

    def move(self, photo: Photo, going: Callable[[bytes], None], whole: OnCopied) -> bytes:
        """Moves a photo to the inbox place that its row names, or to the next that is free; returns which.

        going: called with another place before it goes there. whole: called with the stat of a copy before it has its name.
        Raises OSError; unless its last step failed, the photo is where it was.
        """
        with self.source(photo) as (source, name), _without_reason(source, name, photo):

            def attempt(target: bytes) -> None:
                if target != photo.inbox_path:
                    going(target)
                parent, new = dirfd.split(target)
                with dirfd.open_folder(self._claims.inbox_fd, parent, create=True) as folder:
                    self.rename(Entry(source, name), Entry(folder, new), photo, whole)
                    dirfd.sync(folder)

            target = names.use_first_free(self.free(photo.inbox_path), attempt)
            dirfd.sync(source)
        return target

    def drop(self, photo: Photo) -> None:
        """Removes what is left of a photo where it came from. Raises OSError."""
        with self.source(photo) as (folder, name):
            os.unlink(name, dir_fd=folder)
            dirfd.sync(folder)

    def touch(self, photo: Photo) -> None:
        """Opens a photo in the inbox for writing and closes it: the daemon hears of that, and nothing changes."""
        parent, name = dirfd.split(photo.inbox_path)
        try:
            with dirfd.open_folder(self._claims.inbox_fd, parent) as folder:
                flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(name, flags, dir_fd=folder))
        except OSError:  # then a rescan finds it
            return

    def rename(self, source: Entry, target: Entry, photo: Photo, on_copied: OnCopied) -> None:
        """Renames a photo, never over anything; to another filesystem it is copied. Raises OSError."""

        def digest() -> str:
            if not os.access(f"/proc/self/fd/{source.folder}", os.W_OK | os.X_OK):  # before a second copy exists
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            # Not the row's digest: a failed photo may have been repaired in its folder.
            return dirfd.sha256(source.folder, source.name)

        self._mover.move(source, target, photo.id, digest, on_copied)


def _without_reason(folder: int, name: bytes, photo: Photo) -> AbstractContextManager[None]:
    return sidecar.removed(folder, name, photo.sha256) if photo.error_kind else nullcontext()
