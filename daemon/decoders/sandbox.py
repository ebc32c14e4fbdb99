"""Limits that a worker process sets for itself before it reads the first untrusted byte."""

import ctypes
import math
import os
import resource
import signal
from pathlib import Path
from typing import NamedTuple

from daemon.decoders import landlock, seccomp

# linux/prctl.h
_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_NAME = 15
_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)

_BYTES_PER_PIXEL = 12  # a progressive JPEG's coefficients at full size (6), Pillow's own copy (4), and a reserve
_RESERVE_BYTES = 128 << 20  # the file itself (`worker.WHOLE_FILE_BYTES`) and the interpreter's own needs


class Isolation(NamedTuple):
    """What keeps a worker from everything but its photo.

    Attributes:
        seccomp: Whether the kernel refuses all system calls that decoding does not need.
        landlock: Version of the kernel's Landlock interface that is in force, 0 for none.
    """

    seccomp: bool
    landlock: int


def hide_memory() -> None:
    """Keeps other processes of the same user from this process's memory and variables. Its core is never dumped.

    The kernel then gives its files in /proc to root.
    """
    _prctl(_SET_DUMPABLE, 0)


def die_with(parent: int) -> None:
    """Makes the kernel kill this process when the thread that started it ends.

    Args:
        parent: Process id of the daemon. If the daemon has ended already, this process exits.
    """
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call above
        raise SystemExit(1)


def confine(max_pixels: int, socket: int = 0) -> Isolation:
    """Sets all permanent limits. Call it after all imports: no file can be opened, and memory is counted, from here on.

    Args:
        max_pixels: Size of the largest image to decode, which determines the memory limit.
        socket: Descriptor of the socket to the daemon.
    """
    _libc.prctl(_SET_NAME, b"foodsort-decode", 0, 0, 0)
    _prctl(_SET_NO_NEW_PRIVS, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _lower_limit(resource.RLIMIT_AS, used + _BYTES_PER_PIXEL * max_pixels + _RESERVE_BYTES)
    _lower_limit(resource.RLIMIT_CORE, 0)
    _lower_limit(resource.RLIMIT_FSIZE, 0)  # does not affect the mapping that pixels are written to
    library = seccomp.load_library()  # before Landlock, which refuses to open it
    version = landlock.restrict()  # before the filter, which refuses its calls
    return Isolation(library is not None and seccomp.install_filter(library, socket), version)


def allow_cpu(seconds: float) -> None:
    """Grants this process more processor time; SIGXCPU ends it after that."""
    times = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(times.ru_utime + times.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _lower_limit(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
