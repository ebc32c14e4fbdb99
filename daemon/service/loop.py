"""The rounds of a session: watch, list, claim, wait for the next thing to do."""

import queue
import threading
import time
from collections.abc import Callable

import structlog

from daemon.inbox.handle import REOPEN_EVERY_S
from daemon.inbox.inotify import FileEvent
from daemon.monitoring.progress import Progress
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext, Runtime

log = structlog.get_logger()

_IDLE_S = 1.0  # longest sleep, so that a stopped clock or a lost wake-up costs no more


class MainLoop:
    """Has a session's photos sorted. Used by one thread."""

    def __init__(
        self,
        session: Runtime,
        lasting: ProcessContext,
        pulse: StatusReporter,
        progress: Progress,
        stopping: threading.Event,
    ) -> None:
        """session: open. stopping: ends every method soon."""
        self.session = session
        self._messages, self._dry_run, self._counts = lasting.messages, lasting.dry_run, lasting.counts
        self._pulse, self._progress, self._stopping = pulse, progress, stopping
        self._next_scan = 0.0

    @property
    def over(self) -> bool:
        """Whether a thread of the pipeline has failed."""
        return self.session.pipeline.failure is not None

    def begin(self) -> None:
        """Watches the inbox that is held now, and takes up what an earlier life left."""
        session = self.session
        self._pulse.moved()
        if not session.lookout.is_open:
            session.lookout.open(self_test=not self._dry_run)
        if not self._dry_run:
            session.takeover()
        self._scan()
        self._pulse.phase = "running"
        log.info("watching", inbox=str(session.store.hold.path), events=session.lookout.kind)

    def round(self, beat: Callable[[], None]) -> None:
        """Lists and claims what there is room for, or looks for an inbox that is gone. Calls `beat` often. Raises GivenUp."""
        beat()
        session = self.session
        if why := session.store.hold.lost_reason():
            if session.store.hold.is_open:
                self._lose_inbox(why, beat)
            self._look_for_inbox()
            return
        self._list()
        while not session.pipeline.full and not self._stopping.is_set() and session.intake.claim_ready():
            beat()
        self._show()

    def idle(self) -> bool:
        """Whether nothing is ready, settling or on its way, also after a fresh look at the whole inbox."""
        intake = self.session.intake
        if not self.session.store.hold.is_open:
            return False

        def quiet() -> bool:
            at_rest = not self.session.pipeline.in_flight and self._messages.empty()
            return at_rest and not intake.scanning and not len(intake.tracker)

        if not quiet():
            return False
        self._scan()
        while intake.scanning and not len(intake.tracker) and not self._stopping.is_set():
            intake.continue_scan()
        return quiet()

    def sleep_s(self) -> float:
        """How long there is nothing to do unless a message comes (s)."""
        intake = self.session.intake
        if not self.session.store.hold.is_open:
            return REOPEN_EVERY_S
        if intake.can_scan:
            return 0.0
        wake, due = self._next_scan, intake.next_due_at()
        if due is not None and not self.session.pipeline.full:
            wake = min(wake, due)
        return min(max(wake - time.monotonic(), 0.0), _IDLE_S)

    def handle(self, timeout_s: float) -> None:
        """Waits for a message and handles it and all that have come with it."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                if isinstance(message, FileEvent) and message.kind == "unwatched":
                    self.session.lookout.watch_limit_reached()
                elif message is not None:
                    self.session.intake.handle(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _show(self) -> None:
        inbox = self.session.intake.tracker
        self._progress.show(self._counts, len(inbox) + self.session.pipeline.in_flight)
        self._pulse.see(inbox, more=self.session.intake.scanning)

    def _lose_inbox(self, why: str, beat: Callable[[], None]) -> None:
        """Finishes what is held of an inbox that is no longer at its path, and lets go of it."""
        session, store = self.session, self.session.store
        store.tell("inbox_lost", f"the inbox {store.hold.path} is gone ({why}); sorting goes on when it is back")
        session.patience.note("inbox", f"the inbox {store.hold.path} is gone: {why}")
        session.lookout.close()
        while session.pipeline.in_flight and not self._stopping.is_set() and not self.over:
            beat()
            self.handle(_IDLE_S)
        self.handle(0)  # the last ones that came back
        store.hold.close()
        session.intake.reset()

    def _look_for_inbox(self) -> None:
        """Begins anew with the folder at the inbox's path, if there is one."""
        session, store = self.session, self.session.store
        if store.hold.reopen(session.patience):
            store.open_database_again(session.bundle)
            store.tell("inbox_back", f"the inbox {store.hold.path} is back")
            self.begin()

    def _list(self) -> None:
        """Goes on with a listing of the inbox, or begins one when it is time to; that counts from the end of the last."""
        if self.session.intake.scanning:
            self.session.intake.continue_scan()
            self._next_scan = time.monotonic() + self.session.lookout.scan_interval_s
        elif time.monotonic() >= self._next_scan:
            self.session.lookout.reopen_if_due()
            self._scan()

    def _scan(self) -> None:
        """Begins a listing of the whole inbox: events are hints, this is the truth."""
        self.session.store.hold.claims.retry_returns()
        self.session.intake.scan()
