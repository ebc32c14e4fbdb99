"""System calls that a worker process may not make, refused by libseccomp where it is installed."""

import ctypes
import errno
import os
from typing import NamedTuple

# seccomp.h
_SCMP_ACT_ALLOW = 0x7FFF0000
_SCMP_ACT_ERRNO = 0x00050000
_SCMP_CMP_MASKED_EQ = 7
_SCMP_FLTATR_CTL_TSYNC = 4
# linux/sched.h
_CLONE_THREAD = 0x00010000

_NETWORK = "socket socketpair connect bind listen accept accept4"
_PROCESSES = "fork vfork execve execveat ptrace kill tkill process_vm_readv process_vm_writev pidfd_getfd"
# io_uring would give access to all other calls.
_FILES = (
    "openat2 open_by_handle_at creat truncate unlink unlinkat rename renameat renameat2 rmdir mkdir mkdirat mknod mknodat"
    " link linkat symlink symlinkat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat mount io_uring_setup"
)


class _ArgCmp(ctypes.Structure):
    """scmp_arg_cmp: an argument that equals a value under a mask."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64))


class _Condition(NamedTuple):
    argument: int
    mask: int
    value: int


class _Rule(NamedTuple):
    """A system call to refuse, and the error that it returns instead. All conditions have to hold."""

    call: bytes
    code: int = errno.EPERM
    conditions: tuple[_Condition, ...] = ()


def install_filter() -> bool:
    """Blocks the network, other processes, and changes to files for this process and its threads.

    Returns:
        Whether the filter is installed: False when libseccomp is missing or the kernel refuses the filter.
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_SCMP_ACT_ALLOW)))
    if not context:
        return False
    try:
        library.seccomp_attr_set(context, _SCMP_FLTATR_CTL_TSYNC, ctypes.c_uint32(1))
        return all(_add(library, context, rule) for rule in _rules()) and library.seccomp_load(context) == 0
    finally:
        library.seccomp_release(context)


def _rules() -> list[_Rule]:
    rules = [_Rule(call.encode()) for names in (_NETWORK, _PROCESSES, _FILES) for call in names.split()]
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
        rules.append(_Rule(b"open", conditions=(_Condition(1, flag, flag),)))
        rules.append(_Rule(b"openat", conditions=(_Condition(2, flag, flag),)))
    # Threads are allowed, processes are not. The filter cannot see the flags of clone3; without it, libc uses clone.
    rules.append(_Rule(b"clone", conditions=(_Condition(0, _CLONE_THREAD, 0),)))
    rules.append(_Rule(b"clone3", errno.ENOSYS))
    return rules


def _add(library: ctypes.CDLL, context: ctypes.c_void_p, rule: _Rule) -> bool:
    number = library.seccomp_syscall_resolve_name(rule.call)
    if number < 0:  # unknown to this processor or this version of libseccomp
        return True
    comparisons = [_ArgCmp(arg, _SCMP_CMP_MASKED_EQ, mask, value) for arg, mask, value in rule.conditions]
    array = (_ArgCmp * len(comparisons))(*comparisons)
    action = ctypes.c_uint32(_SCMP_ACT_ERRNO | rule.code)
    return bool(library.seccomp_rule_add_array(context, action, number, len(array), array) == 0)
