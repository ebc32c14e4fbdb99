"""The type of the filesystem behind a descriptor, from fstatfs(2)."""

import ctypes
import os
import sys
from typing import NamedTuple

from daemon.fs.names import MAX_NAME_BYTES

_FUSE = 0x65735546
_NETWORK = frozenset(
    {
        0x6969,  # NFS
        0x517B,  # SMB
        0xFE534D42,  # SMB2
        0xFF534D42,  # CIFS
        0x01021997,  # 9P
        0x00C36400,  # Ceph
        0x5346414F,  # AFS
        0x786F4256,  # VirtualBox shared folders
        _FUSE,
    }
)
"""Types (linux/magic.h, fs/vboxsf) on which other machines or programs change files."""
_STATFS_BYTES = 256  # struct statfs has 120 bytes on 64-bit systems; its first field is f_type, a long

_libc = ctypes.CDLL(None, use_errno=True)


class Filesystem(NamedTuple):
    """A filesystem. A device number means the same one as long as a file there is open.

    Attributes:
        device: Its device number.
        type: Its type.
    """

    device: int
    type: int

    @classmethod
    def of(cls, fd: int) -> "Filesystem":
        """Returns the filesystem of an open file. Raises OSError."""
        return cls(os.fstat(fd).st_dev, _type(fd))

    @property
    def is_network(self) -> bool:
        """Whether a lease or lock of this machine means nothing there: network filesystems and FUSE."""
        return self.type in _NETWORK

    @property
    def has_lasting_inodes(self) -> bool:
        """Whether a file keeps its inode number under another name; some FUSE filesystems number names, not files."""
        return self.type != _FUSE


def is_network(fd: int) -> bool:
    """See `Filesystem.is_network`. Raises OSError."""
    return Filesystem.of(fd).is_network


def has_lasting_inodes(fd: int) -> bool:
    """See `Filesystem.has_lasting_inodes`. Raises OSError."""
    return Filesystem.of(fd).has_lasting_inodes


def max_name_bytes(fd: int) -> int:
    """Returns the longest name (bytes) that the filesystem allows; Linux's limit where it says none. Raises OSError."""
    return os.fstatvfs(fd).f_namemax or MAX_NAME_BYTES


def _type(fd: int) -> int:
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(fd, buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
