"""The type of the filesystem behind a descriptor, from fstatfs(2)."""

import ctypes
import os
import sys

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


def is_network(fd: int) -> bool:
    """Whether a lease or lock of this machine means nothing there: network filesystems and FUSE. Raises OSError."""
    return _type(fd) in _NETWORK


def has_lasting_inodes(fd: int) -> bool:
    """Whether a file keeps its inode number under another name; some FUSE filesystems number names, not files.

    Raises OSError.
    """
    return _type(fd) != _FUSE


def max_name_bytes(fd: int) -> int:
    """Returns the longest name (bytes) that the filesystem allows; Linux's limit where it says none. Raises OSError."""
    return os.fstatvfs(fd).f_namemax or MAX_NAME_BYTES


def _type(fd: int) -> int:
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(fd, buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
