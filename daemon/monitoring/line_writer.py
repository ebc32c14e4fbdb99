"""Writes lines from a thread of its own: a full disk or a reader that is gone keeps nothing else from its work."""

import os
import threading
from collections import deque
from contextlib import suppress

_MOST_LINES = 10_000
_LINES_AT_ONCE = 100


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
        self._lines: deque[bytes] = deque()
        self._is_writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: bytes) -> None:
        """Adds a line, with its end; drops it when too many lines wait. Never blocks."""
        with self._changed:
            if len(self._lines) < _MOST_LINES:
                self._lines.append(line)
            if len(self._lines) == 1:
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Waits until all lines are written, but not longer than `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._is_writing, timeout_s)

    def _run(self) -> None:
        while True:
            lines = self._next_lines()
            with suppress(OSError):  # the disk is full, or the reader is gone; the next lines may have better luck
                while lines:
                    lines = lines[os.write(self._fd, lines) :]

    def _next_lines(self) -> bytes:
        with self._changed:
            self._is_writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lines)
            self._is_writing = True
            return b"".join(self._lines.popleft() for _ in range(min(len(self._lines), _LINES_AT_ONCE)))
