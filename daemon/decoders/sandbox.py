"""What a decoder's process may use and do. It limits itself, before the first stranger's byte."""

import ctypes
import math
import os
import resource
import signal
from pathlib import Path
from typing import Literal

from daemon.decoders import seccomp

NetworkIsolation = Literal["seccomp", "none"]
"""What keeps a decoder from the network: a filter of system calls, or nothing that foodsort does itself."""

# linux/prctl.h
_SET_PDEATHSIG, _SET_NAME, _SET_NO_NEW_PRIVS = 1, 15, 38
_libc = ctypes.CDLL(None, use_errno=True)

_BYTES_PER_PIXEL = 12  # a progressive JPEG's coefficients at full size (6), Pillow's own copy (4), and room
_ROOM_BYTES = 128 << 20  # the file itself (`worker.WHOLE_BYTES`) and the interpreter's own needs


def die_with(parent: int) -> None:
    """Ends this process when the thread that started it ends, as all do with the daemon `parent` (process id)."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be asked for
        raise SystemExit(1)


def confine(max_pixels: int) -> NetworkIsolation:
    """Sets all limits that hold for good. Called when everything is imported: memory is counted from here on."""
    _libc.prctl(_SET_NAME, b"foodsort-decode", 0, 0, 0)
    _prctl(_SET_NO_NEW_PRIVS, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _lower(resource.RLIMIT_AS, used + _BYTES_PER_PIXEL * max_pixels + _ROOM_BYTES)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)  # the pixels go through a mapping, which this does not concern
    return "seccomp" if seccomp.refuse() else "none"


def allow_cpu(seconds: float) -> None:
    """Gives this process so many further seconds of processor time, before SIGXCPU ends it."""
    times = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(times.ru_utime + times.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
