"""Rows on stdout that their reader has dealt with."""

import array
import fcntl
import os
import stat
import termios
from collections import deque
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from daemon.cli import output
from daemon.queries.positions import Position


class _Pending(NamedTuple):
    """A position that is reached once the reader has dealt with the bytes before `end`."""

    end: int
    position: Position


class Delivery:
    """Writes rows to stdout and tells which position their reader has reached.

    A row in a pipe may get lost with its reader. So a row counts only when the reader has taken bytes of the next one
    from the pipe: a reader that reads line by line has dealt with the row by then. In a file it counts when it is on the
    disk, and elsewhere when it is written.
    """

    def __init__(self, stdout: BinaryIO) -> None:
        self._stdout = stdout
        mode = os.fstat(stdout.fileno()).st_mode
        self._is_pipe, self._is_file = stat.S_ISFIFO(mode), stat.S_ISREG(mode)
        self._pending: deque[_Pending] = deque()
        self._written = 0
        self._reached: Position | None = None

    def add(self, position: Position, row: Mapping[str, object] | None) -> None:
        """Writes a row. position: Reached after this row; or after the row before, if this one is None."""
        if row is not None:
            line = output.json_line(row)
            self._stdout.write(line)
            self._stdout.flush()
            self._written += len(line)
        self._pending.append(_Pending(self._written, position))

    def reached(self) -> Position | None:
        """Returns the position that the reader has reached; None before the first."""
        if self._is_file and self._pending:
            os.fsync(self._stdout.fileno())
        taken = self._written - self._unread() if self._is_pipe else None
        while self._pending and (not self._pending[0].end or taken is None or self._pending[0].end < taken):
            self._reached = self._pending.popleft().position
        return self._reached

    def _unread(self) -> int:
        """Number of bytes in the pipe."""
        count = array.array("i", [0])
        fcntl.ioctl(self._stdout.fileno(), termios.FIONREAD, count)
        return count[0]
