"""Signals of the daemon: the first stop signal stops it in order, the second one immediately; SIGHUP reloads."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_EXIT_S = 1


class Signals:
    """Signal handlers of the process.

    Attributes:
        stopping: Set by the first stop signal.
        reload_requested: Set by SIGHUP, cleared by the caller.
    """

    def __init__(
        self, *, on_stop: Callable[[], None], on_exit: Callable[[], None], on_reload: Callable[[], None]
    ) -> None:
        """Prepares the handlers; `install` installs them.

        Args:
            on_stop: Called by the first stop signal.
            on_exit: Called by the second stop signal, before the process ends.
            on_reload: Called by SIGHUP.
        """
        self.stopping = threading.Event()
        self.reload_requested = False
        self._on_stop = on_stop
        self._on_exit = on_exit
        self._on_reload = on_reload
        self._exit_on_stop = False
        self._previous: dict[int, Any] = {}

    def install(self, *, hangup_stops: bool) -> None:
        """Installs the handlers; `restore` brings the previous ones back.

        Args:
            hangup_stops: Whether SIGHUP stops the daemon instead of a reload; it does so at a terminal anyway.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            # A terminal sends it when it is closed.
            stops = hangup_stops or (sys.stdin and sys.stdin.isatty())
            signal.signal(signal.SIGHUP, self._handle_stop if stops else self._handle_reload)
        # A claim asks the kernel for a lease; the kernel sends this when a writer opens the file in that moment.
        signal.signal(signal.SIGIO, signal.SIG_IGN)

    def restore(self) -> None:
        """Brings the previous handlers of stop signals back, so that these end even a process whose output blocks."""
        for number, handler in self._previous.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._previous.clear()

    @contextmanager
    def exit_on_stop(self) -> Iterator[None]:
        """Lets a stop signal raise SystemExit in the block, in which no photo is in flight."""
        self._exit_on_stop = True
        try:
            yield
        finally:
            self._exit_on_stop = False

    def _handle_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping.is_set():
            # The kernel ends the process if its output blocks, and with it the lines below.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_EXIT_S)
            try:
                self._on_exit()
                os.write(2, b"foodsort: stopped immediately; photos in flight will be recovered at the next start\n")
            finally:  # whether anybody takes the output or not
                os._exit(1)
        self.stopping.set()
        self._on_stop()
        if self._exit_on_stop:
            raise SystemExit(0)

    def _handle_reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload_requested = True
        self._on_reload()
