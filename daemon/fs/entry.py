"""A name in an open folder."""

import errno
import hashlib
import os
from typing import NamedTuple

from daemon.fs import dirfd, filesystem


class Entry(NamedTuple):
    """A directory entry, which may not exist.

    Attributes:
        folder: Descriptor of the folder.
        name: Name in that folder.
    """

    folder: int
    name: bytes

    def stat(self) -> os.stat_result:
        """Returns the stat of the entry itself, not of a link's target. Raises OSError."""
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)

    def find(self) -> os.stat_result | None:
        """Returns the stat, None when there is no such entry. Raises OSError."""
        try:
            return self.stat()
        except FileNotFoundError:
            return None

    def exists(self) -> bool:
        """Whether there is such an entry, which may be a dangling link. Raises OSError."""
        return self.find() is not None

    def open(self) -> int:
        """Opens the file for reading; a FIFO does not block. Returns the descriptor. Raises OSError, ELOOP for a link."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(self.name, flags, dir_fd=self.folder)

    def sha256(self) -> str:
        """Returns the SHA-256 (hex) of the file. Raises OSError."""
        with os.fdopen(self.open(), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self) -> None:
        """Removes the entry; one that is gone, even if the call reported an error, is removed. Raises OSError."""
        try:
            os.unlink(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            pass
        except OSError:
            if self.find() is not None:
                raise

    def is_same_file(self, other: os.stat_result) -> bool:
        """Whether the entry is the file of a stat.

        The inode decides. Where inodes do not last, size and modification time do.

        Raises:
            OSError: The entry cannot be looked at.
        """
        stat = self.find()
        if stat is None:
            return False
        if os.path.samestat(stat, other):
            return True
        same = dirfd.is_regular(stat) and (stat.st_size, stat.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
        return same and not filesystem.has_lasting_inodes(self.folder)


def removed_folder(name: bytes) -> OSError:
    """An error that passes when the folder is made again."""
    return OSError(errno.ESTALE, "the folder was removed", name)
