"""Watching the inbox: by inotify events, and by polling where events do not work."""

import errno
import os
import time
from collections.abc import Callable

from daemon.fs import mounts
from daemon.inbox.handle import InboxHandle
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import PROBE, FileEvent, InotifySource
from daemon.settings import WatchSettings

SELF_TEST_S = 2.0
"""Maximum time until the event of the self-test arrives (s)."""

_LIMITS = {
    errno.ENOSPC: "no more folders can be watched (fs.inotify.max_user_watches)",
    errno.EMFILE: "no more watches can be opened (fs.inotify.max_user_instances)",
}


class Watcher:
    """Receives the events of an inbox and decides how often it has to be scanned. Used by one thread.

    Attributes:
        degraded_reason: Why some events do not arrive, so that the inbox is polled; empty when all events arrive.
    """

    def __init__(
        self,
        settings: WatchSettings,
        handle: InboxHandle,
        on_event: Callable[[FileEvent], None],
        event_log: Callable[[str, str], None],
    ) -> None:
        """Opens nothing yet.

        Args:
            settings: Names to ignore and intervals.
            handle: The inbox.
            on_event: Called with each event, from another thread.
            event_log: Records kind and message of events that a person should know about.
        """
        self._settings = settings
        self._handle = handle
        self._on_event = on_event
        self._event_log = event_log
        self._ignore = IgnoreRules(settings.ignore)
        self._source: InotifySource | None = None
        self._may_recover = False
        self._next_attempt = 0.0
        self.degraded_reason = ""

    def rebind(self, handle: InboxHandle, event_log: Callable[[str, str], None]) -> None:
        """Uses a new handle of the same inbox, and a new event log, and keeps the events coming."""
        self._handle = handle
        self._event_log = event_log

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and `close` was not called after it."""
        return self._source is not None

    @property
    def kind(self) -> str:
        """`inotify` when all events arrive, else `polling`."""
        return "polling" if self.degraded_reason else "inotify"

    @property
    def scan_interval_s(self) -> float:
        """Seconds between two scans of the inbox."""
        if self.degraded_reason:
            return min(self._settings.poll_s, self._settings.rescan_s)
        return self._settings.rescan_s

    def open(self, *, self_test: bool = True) -> None:
        """Starts to watch the inbox.

        Args:
            self_test: Whether to write a file and wait for its event.
        """
        prior_reason = self.degraded_reason
        self.degraded_reason = ""
        self._may_recover = True
        self._next_attempt = time.monotonic() + self._settings.rescan_s
        try:
            self._source = InotifySource(self._handle.path, self._ignore, self._on_event)
        except OSError as error:
            reason = _LIMITS.get(error.errno or 0, f"inotify is not available ({error.strerror})")
        else:
            reason = self._find_degradation(self._source, self_test=self_test)
        if reason and reason != prior_reason:
            self._degrade(reason)
        elif prior_reason and not reason:
            self._event_log("watching", "all inotify events arrive again")
        self.degraded_reason = reason

    def watch_limit_reached(self) -> None:
        """Handles a folder that could not be watched."""
        if not self.degraded_reason:
            self._may_recover = True
            self._degrade(_LIMITS[errno.ENOSPC])

    def reopen_if_due(self) -> None:
        """Opens the watch again when it has ended, or when the reason for polling may have passed."""
        ended = self._source is not None and not self._source.alive
        due = self.degraded_reason and self._may_recover and time.monotonic() >= self._next_attempt
        if ended or due:
            self.close()
            self.open()

    def close(self) -> None:
        """Ends the watch."""
        if self._source:
            self._source.stop()
            self._source = None

    def _find_degradation(self, source: InotifySource, *, self_test: bool) -> str:
        """Returns why some events of a source do not arrive, empty when all do."""
        if source.limited:
            return _LIMITS[errno.ENOSPC]
        try:
            passed = self._self_test(source) if self_test else True
        except OSError as error:
            return f"the self-test of inotify cannot be run ({error.strerror})"
        self._may_recover = False
        mount = mounts.mount_of(self._handle.path)
        if mount and mount.shared:
            return f"on {mount.type}, others may change files without an event here"
        return "" if passed else "a file was written and no event arrived"

    def _self_test(self, source: InotifySource) -> bool:
        # In the top folder: events of subfolders arrive also where those of this one do not.
        inbox = self._handle.claims.inbox_fd
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(PROBE, flags, 0o600, dir_fd=inbox))
        os.unlink(PROBE, dir_fd=inbox)
        return source.await_probe(SELF_TEST_S)

    def _degrade(self, reason: str) -> None:
        self.degraded_reason = reason
        self._event_log("polling", f"{reason}; the inbox is scanned every {self.scan_interval_s:g} s instead")
