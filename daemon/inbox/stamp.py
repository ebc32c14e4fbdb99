"""The part of a stat by which a file is recognised and seen to change."""

import hashlib
import os
from typing import NamedTuple

_PATH_DIGEST_BYTES = 8


class FileStamp(NamedTuple):
    """The part of a stat that changes when a file is written. A file is stable if two stamps some time apart are equal.

    Attributes:
        size: Size in bytes.
        mtime_ns: Time of the last change to the contents.
        inode: Inode number; on a filesystem where inodes do not last, a number from the path.
        ctime_ns: Time of the last change to the inode; 0 for a file with several names (hard links), since it changes
            with every change to another name.
        device: Device number of the file itself; on overlayfs it is not that of the folder.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    device: int = 0

    @classmethod
    def of(cls, stat: os.stat_result) -> "FileStamp":
        """Returns the stamp of a stat."""
        return cls(
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            inode=stat.st_ino,
            ctime_ns=0 if stat.st_nlink > 1 else stat.st_ctime_ns,
            device=stat.st_dev,
        )

    def at_path(self, path: bytes) -> "FileStamp":
        """Returns the stamp for a filesystem where inodes do not last: a file there is recognised by its path."""
        digest = hashlib.blake2b(path, digest_size=_PATH_DIGEST_BYTES).digest()
        return self._replace(inode=int.from_bytes(digest))

    @property
    def linked(self) -> bool:
        """Whether the file has several names; each is a photo of its own, and they share the identity."""
        return not self.ctime_ns

    @property
    def identity(self) -> str:
        """Device and inode, which a rename does not change."""
        return f"{self.device}:{self.inode}"

    @property
    def text(self) -> str:
        """The stamp as the database has it: without the device, whose number may change when it is mounted again."""
        return f"{self.inode}:{self.size}:{self.mtime_ns}:{self.ctime_ns}"

    def same_except_ctime(self, other: "FileStamp") -> bool:
        """Whether size, mtime and inode are equal; a rename changes the ctime."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)
