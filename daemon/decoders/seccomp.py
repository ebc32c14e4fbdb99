"""What a decoder may not ask the kernel for, by libseccomp where that is there."""

import ctypes
import errno
import os
from typing import NamedTuple

# seccomp.h: SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_CMP_MASKED_EQ, SCMP_FLTATR_CTL_TSYNC.
_ALLOW, _ERRNO, _MASKED_EQ, _TSYNC = 0x7FFF0000, 0x00050000, 7, 4
_CLONE_THREAD = 0x00010000

_NETWORK = "socket socketpair connect bind listen accept accept4"
_PROCESSES = "fork vfork execve execveat ptrace kill tkill process_vm_readv process_vm_writev pidfd_getfd"
# Through io_uring all of the others could be had.
_FILES = (
    "openat2 open_by_handle_at creat truncate unlink unlinkat rename renameat renameat2 rmdir mkdir mkdirat mknod mknodat"
    " link linkat symlink symlinkat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat mount io_uring_setup"
)


class _If(ctypes.Structure):
    """scmp_arg_cmp: an argument that, under a mask, equals a value."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64))


class _Rule(NamedTuple):
    call: bytes
    code: int = errno.EPERM
    conditions: tuple[tuple[int, int, int], ...] = ()  # argument, mask, value


def _rules() -> list[_Rule]:
    rules = [_Rule(call.encode()) for names in (_NETWORK, _PROCESSES, _FILES) for call in names.split()]
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
        rules += [_Rule(b"open", conditions=((1, flag, flag),)), _Rule(b"openat", conditions=((2, flag, flag),))]
    # Threads are fine, processes are not; the flags of clone3 can't be seen, and without it the C library takes clone.
    return [*rules, _Rule(b"clone", conditions=((0, _CLONE_THREAD, 0),)), _Rule(b"clone3", errno.ENOSYS)]


def refuse() -> bool:
    """Refuses this process and its threads, for good, the network, other processes and any change to a file's name or bytes.

    Returns False where libseccomp is missing or the kernel will not have it.
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    if not rules:
        return False
    try:
        library.seccomp_attr_set(rules, _TSYNC, ctypes.c_uint32(1))
        return all(_add(library, rules, rule) for rule in _rules()) and library.seccomp_load(rules) == 0
    finally:
        library.seccomp_release(rules)


def _add(library: ctypes.CDLL, rules: ctypes.c_void_p, rule: _Rule) -> bool:
    number = library.seccomp_syscall_resolve_name(rule.call)
    if number < 0:  # this processor, or this libseccomp, does not know it
        return True
    conditions = (_If * len(rule.conditions))(
        *(_If(arg, _MASKED_EQ, mask, value) for arg, mask, value in rule.conditions)
    )
    action = ctypes.c_uint32(_ERRNO | rule.code)
    return bool(library.seccomp_rule_add_array(rules, action, number, len(conditions), conditions) == 0)
