"""Writes lines from a thread of its own: a full disk or a reader that is gone keeps nothing else from its work."""

import os
import queue
import threading
from contextlib import suppress

_MOST_LINES = 10_000


class LineWriter:
    """Writes lines to a descriptor, in order. Lines that cannot be written are dropped.

    The descriptor is written directly. A thread that is blocked in a stream of Python would hold the lock of its buffer,
    and the interpreter could not end.
    """

    def __init__(self, fd: int) -> None:
        """Starts the thread, which does not keep the process from ending.

        Args:
            fd: The descriptor; it has to stay open.
        """
        self._fd = fd
        self._lines: queue.Queue[bytes] = queue.Queue(_MOST_LINES)
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: bytes) -> None:
        """Adds a line, with its end; drops it when too many lines wait. Never blocks."""
        with suppress(queue.Full):
            self._lines.put_nowait(line)

    def flush(self, timeout_s: float) -> None:
        """Waits until all lines are written, but not longer than `timeout_s`."""
        done = self._lines.all_tasks_done
        with done:
            done.wait_for(lambda: not self._lines.unfinished_tasks, timeout_s)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):  # the disk is full, or the reader is gone; the next line may have better luck
                while line:
                    line = line[os.write(self._fd, line) :]
            self._lines.task_done()
