"""The lowest priority, for work that must not slow down the daemon."""

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_LOWEST_NICE = 19
_TICK_S = 0.5
# linux/ioprio.h: the class of those that read only while nobody else does.
_IDLE = 3 << 13
_THIS_THREAD = (1, 0)
_SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}
"""Numbers of the system call; libc has no function for it."""


def run_apart(work: Callable[[threading.Event], T]) -> T:
    """Runs work in a thread of the lowest priority, with the threads and processes that it starts, and waits for its end.

    Args:
        work: The work. It ends soon after its event is set: this thread was interrupted.

    Returns:
        What it returns.
    """
    stopped = threading.Event()
    with ThreadPoolExecutor(1, "apart") as thread:
        thread.submit(run_last).result()  # the thread is there before the work: an interruption finds both
        try:
            running = thread.submit(work, stopped)
            # Not for ever: a signal that comes just before a wait does not end it.
            while not wait([running], _TICK_S).done:
                pass
            return running.result()
        except BaseException:
            stopped.set()
            raise


def run_last() -> None:
    """Gives the calling thread, and the threads and processes that it starts, the processor's lowest priority.

    In Linux this is a property of a thread. Not SCHED_IDLE: such a thread may hold the database's lock for seconds.
    """
    with suppress(OSError):  # a limit of the system; then it runs as others do
        os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_NICE)


def read_last() -> None:
    """Gives the calling thread the disk's lowest priority, where the disk's scheduler has priorities."""
    number = _SYS_IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(number, *_THIS_THREAD, _IDLE)
