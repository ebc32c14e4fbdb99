"""How the inbox is looked after: by events where they come, and by looking often where they don't."""

import errno
import os
import time
from collections.abc import Callable

from daemon.fs import dirfd, mounts
from daemon.inbox.claims import PRIVATE
from daemon.inbox.handle import InboxHandle
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import PROBE, FileEvent, InotifySource
from daemon.settings import WatchSettings

SELF_TEST_S = 2.0  # how long the event of the self-test may take

_LIMITS = {
    errno.ENOSPC: "no more folders can be watched (fs.inotify.max_user_watches)",
    errno.EMFILE: "no more watches can be opened (fs.inotify.max_user_instances)",
}


class Watcher:
    """Watches an inbox, and says when to take the next full look. Used by one thread."""

    def __init__(
        self,
        settings: WatchSettings,
        hold: InboxHandle,
        hint: Callable[[FileEvent], None],
        tell: Callable[[str, str], None],
    ) -> None:
        """hint: called from another thread. tell: takes kind and message of something that a person should know."""
        self._settings, self._hold, self._hint, self._tell = settings, hold, hint, tell
        self._ignore = IgnoreRules(settings.ignore)
        self._watch: InotifySource | None = None
        self._mend_by_retry = False
        self._try_again = 0.0
        self.degraded_reason = ""
        """Why events don't tell everything, empty while they do."""

    def rebind(self, hold: InboxHandle, tell: Callable[[str, str], None]) -> None:
        """Goes on watching the same folder, which is held anew."""
        self._hold, self._tell = hold, tell

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._watch is not None

    @property
    def kind(self) -> str:
        """`inotify` where events tell everything, `polling` where they don't."""
        return "polling" if self.degraded_reason else "inotify"

    @property
    def scan_interval_s(self) -> float:
        """Seconds between two full looks."""
        return min(self._settings.poll_s, self._settings.rescan_s) if self.degraded_reason else self._settings.rescan_s

    def open(self, *, self_test: bool = True) -> None:
        """Watches the folder that is held now. prove: write a file to see whether its event comes."""
        before, self.degraded_reason, self._mend_by_retry = self.degraded_reason, "", True
        self._try_again = time.monotonic() + self._settings.rescan_s
        try:
            self._watch = InotifySource(self._hold.path, self._ignore, self._hint)
        except OSError as error:
            self.degraded_reason = _LIMITS.get(error.errno or 0, f"events cannot be had ({error.strerror})")
        else:
            self.degraded_reason = self._find_degradation(self._watch, self_test=self_test)
        if self.degraded_reason and self.degraded_reason != before:
            self._polling(self.degraded_reason)
        elif before and not self.degraded_reason:
            self._tell("watching", "events tell everything again")

    def watch_limit_reached(self) -> None:
        """Takes note of a folder that could not be watched."""
        if not self.degraded_reason:
            self._mend_by_retry = True
            self._polling(_LIMITS[errno.ENOSPC])

    def reopen_if_due(self) -> None:
        """Watches anew where what kept us from it may have passed, or where the watch has ended by itself."""
        ended = self._watch is not None and not self._watch.alive
        due = self.degraded_reason and self._mend_by_retry and time.monotonic() >= self._try_again
        if ended or due:
            self.close()
            self.open()

    def close(self) -> None:
        """Ends the watch."""
        if self._watch:
            self._watch.stop()
            self._watch = None

    def _find_degradation(self, watch: InotifySource, *, self_test: bool) -> str:
        """Why the events of a watch don't tell everything, empty when they do."""
        if watch.limited:
            return _LIMITS[errno.ENOSPC]
        try:
            proven = self._self_test(watch) if self_test else True
        except OSError as error:
            return f"whether events come cannot be tried ({error.strerror})"
        self._mend_by_retry = False
        mount = mounts.mount_of(self._hold.path)
        if mount and mount.shared:
            return f"on {mount.type} others may change files without an event here"
        return "" if proven else "a file was written and no event came of it"

    def _self_test(self, watch: InotifySource) -> bool:
        with dirfd.open_folder(self._hold.claims.inbox_fd, PRIVATE) as private:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(PROBE, flags, 0o600, dir_fd=private))
            os.unlink(PROBE, dir_fd=private)
        return watch.proven(SELF_TEST_S)

    def _polling(self, why: str) -> None:
        self.degraded_reason = why
        self._tell("polling", f"{why}; the inbox is looked at every {self.scan_interval_s:g} s instead")
