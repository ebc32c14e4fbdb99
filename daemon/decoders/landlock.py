"""Landlock: takes from a worker process all access to files, TCP and other processes that the kernel can take.

A second wall behind the filter of system calls, and the only one where libseccomp is missing.
"""

import ctypes
import os

# The same numbers on every processor but Alpha, since the kernel gave them at one time to all; libc has no functions.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
# linux/landlock.h: each version of the interface added rights at the end.
_VERSION = 1
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_NET_RIGHTS = {4: 2}
_SCOPES = {6: 2}

SCOPED_SINCE = 6
"""Version of the interface from which it also keeps signals and abstract sockets from other processes."""


class _RulesetAttr(ctypes.Structure):
    """landlock_ruleset_attr: the rights to take, as bits."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def restrict() -> int:
    """Takes all rights from the calling thread, and those that it starts, for good. It needs no_new_privs.

    Returns:
        Version of the kernel's Landlock interface; 0 if the kernel has none or refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version <= 0:
        return 0
    attr = _RulesetAttr(*(_bits(rights, version) for rights in (_FS_RIGHTS, _NET_RIGHTS, _SCOPES)))
    fd = libc.syscall(_CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(ctypes.sizeof(attr)), ctypes.c_uint32(0))
    if fd < 0:
        return 0
    try:
        return version if libc.syscall(_RESTRICT_SELF, fd, ctypes.c_uint32(0)) == 0 else 0
    finally:
        os.close(fd)


def _bits(counts: dict[int, int], version: int) -> int:
    """The rights that a version of the interface knows, given the number of them from a version on."""
    return (1 << max((count for since, count in counts.items() if since <= version), default=0)) - 1
