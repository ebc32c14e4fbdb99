"""System calls that a worker process may make: an allow list, which libseccomp loads where it is installed."""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
from typing import NamedTuple

# seccomp.h
_SCMP_ACT_KILL_PROCESS = 0x80000000
_SCMP_ACT_ALLOW = 0x7FFF0000
_SCMP_ACT_ERRNO = 0x00050000
_SCMP_CMP_MASKED_EQ = 7
_SCMP_FLTATR_ACT_BADARCH = 2
_SCMP_FLTATR_CTL_TSYNC = 4
_SCMP_ERROR = -1
# linux/sched.h, asm-generic/mman-common.h, linux/fcntl.h
_CLONE_THREAD = 0x00010000
_MADV_COMMON = 0x1F  # all advice but MADV_HWPOISON and others for root
_AT_EMPTY_PATH = 0x1000
_INT = 0xFFFFFFFF  # the kernel ignores the upper half of an argument that is an int
_WHOLE = 0xFFFFFFFFFFFFFFFF

REFUSED = frozenset({errno.EPERM, errno.ENOSYS})
"""Error numbers of a refused call. Reading a photo through its descriptor never causes them."""

# Names that an architecture lacks are ignored; some are for those of 32 bits.
_ALLOWED = (
    # open descriptors: a worker has its socket, /dev/null and, while it decodes it, a photo open for reading
    "read pread64 lseek _llseek close fstat fstat64"
    # memory
    " brk munmap mremap"
    # threads, which some decoders start, and their ends
    " futex futex_time64 set_robust_list rseq sched_yield sched_getaffinity exit exit_group getpid gettid"
    " rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack restart_syscall"
    # the clock and the machine
    " clock_gettime clock_gettime64 clock_getres clock_nanosleep clock_nanosleep_time64 nanosleep gettimeofday"
    " getrusage sysinfo getrandom"
)


class _ArgCmp(ctypes.Structure):
    """scmp_arg_cmp: an argument that equals a value under a mask."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64))


class _Condition(NamedTuple):
    argument: int
    mask: int
    value: int


class _Rule(NamedTuple):
    """What a system call gets instead of the default, EPERM. All conditions have to hold."""

    call: str
    conditions: tuple[_Condition, ...] = ()
    action: int = _SCMP_ACT_ALLOW


def load_library() -> ctypes.CDLL | None:
    """Returns libseccomp, None when it is missing."""
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


def install_filter(library: ctypes.CDLL, socket: int) -> bool:
    """Forbids this process and its threads, for good, all system calls that decoding does not need.

    Args:
        library: libseccomp.
        socket: Descriptor of the only socket that it may use.

    Returns:
        Whether the filter is installed: False when the kernel refuses it.
    """
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_SCMP_ACT_ERRNO | errno.EPERM)))
    if not context:
        return False
    try:
        library.seccomp_attr_set(context, _SCMP_FLTATR_CTL_TSYNC, ctypes.c_uint32(1))
        library.seccomp_attr_set(context, _SCMP_FLTATR_ACT_BADARCH, ctypes.c_uint32(_SCMP_ACT_KILL_PROCESS))
        return all(_add(library, context, rule) for rule in _rules(socket)) and library.seccomp_load(context) == 0
    finally:
        library.seccomp_release(context)


def _rules(socket: int) -> list[_Rule]:
    rules = [_Rule(call) for call in _ALLOWED.split()]
    # No new machine code.
    rules += [_Rule(call, (_Condition(2, mmap.PROT_EXEC, 0),)) for call in ("mmap", "mmap2", "mprotect")]
    rules.append(_Rule("madvise", (_Condition(2, _INT & ~_MADV_COMMON, 0),)))
    # Messages to the daemon, without an address and without descriptors.
    rules.append(_Rule("recvmsg", (_Condition(0, _INT, socket),)))
    for call in ("sendto", "send"):
        address = (_Condition(4, _WHOLE, 0),) if call == "sendto" else ()
        rules.append(_Rule(call, (_Condition(0, _INT, socket), *address)))
    # Others would have the kernel send signals to the daemon (F_SETOWN), or change the photo's open file (F_SETFL).
    for command in (fcntl.F_GETFD, fcntl.F_GETFL, fcntl.F_DUPFD_CLOEXEC):
        rules += [_Rule(call, (_Condition(1, _INT, command),)) for call in ("fcntl", "fcntl64")]
    # A worker limits its own processor time. The call could limit the daemon's as well.
    rules.append(_Rule("prlimit64", (_Condition(0, _INT, 0), _Condition(1, _INT, resource.RLIMIT_CPU))))
    # abort() sends SIGABRT to its own thread.
    rules.append(_Rule("tgkill", (_Condition(0, _INT, os.getpid()),)))
    # Threads are allowed, processes are not. The filter cannot see the flags of clone3; without it, libc uses clone.
    rules.append(_Rule("clone", (_Condition(0, _CLONE_THREAD, _CLONE_THREAD),)))
    rules.append(_Rule("clone3", action=_SCMP_ACT_ERRNO | errno.ENOSYS))
    if _fstat_takes_a_path():
        rules.append(_Rule("newfstatat", (_Condition(3, _AT_EMPTY_PATH, _AT_EMPTY_PATH),)))
    return rules


def _fstat_takes_a_path() -> bool:
    """Whether fstat of this libc is the call that tells size and times of files by name: glibc 2.33 to 2.38."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version.restype = ctypes.c_char_p
        major, minor = library.gnu_get_libc_version().split(b".")[:2]
    except (OSError, AttributeError):  # another libc
        return False
    return (2, 33) <= (int(major), int(minor)) <= (2, 38)


def _add(library: ctypes.CDLL, context: ctypes.c_void_p, rule: _Rule) -> bool:
    number = library.seccomp_syscall_resolve_name(rule.call.encode())
    if number == _SCMP_ERROR:  # unknown to this version of libseccomp
        return True
    comparisons = [_ArgCmp(arg, _SCMP_CMP_MASKED_EQ, mask, value) for arg, mask, value in rule.conditions]
    array = (_ArgCmp * len(comparisons))(*comparisons)
    action = ctypes.c_uint32(rule.action)
    return bool(library.seccomp_rule_add_array(context, action, number, len(array), array) == 0)
