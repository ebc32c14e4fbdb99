"""The main loop of a runtime: scan, claim, and wait for the next message."""

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

_IDLE_S = 1.0  # longest sleep, which limits the delay by a stopped clock or a lost wake-up


class MainLoop:
    """Sorts the photos of a runtime. Used by one thread."""

    def __init__(
        self,
        context: ProcessContext,
        runtime: Runtime,
        *,
        reporter: StatusReporter,
        progress: Progress,
        heartbeat: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        """Prepares the loop.

        Args:
            context: The objects that outlive the runtime.
            runtime: The open runtime.
            reporter: Gets the files that wait, and the phase.
            progress: Progress bar.
            heartbeat: Called often while the loop moves.
            stopping: Ends every method soon once it is set.
        """
        self.runtime = runtime
        self._messages = context.messages
        self._dry_run = context.dry_run
        self._once = context.once
        self._counts = context.metrics.counts
        self._reporter = reporter
        self._progress = progress
        self._heartbeat = heartbeat
        self._stopping = stopping
        self._next_scan = 0.0

    @property
    def failed(self) -> bool:
        """Whether a thread of the pipeline has failed."""
        return self.runtime.pipeline.failure is not None

    def begin(self) -> None:
        """Watches the open inbox and recovers the photos of an earlier run.

        Raises:
            RetryAborted: The daemon stops during a retry.
        """
        runtime = self.runtime
        self._reporter.tick()
        if not runtime.watcher.is_open:
            runtime.watcher.open(self_test=not self._dry_run)
        if not self._dry_run:
            runtime.recovery.recover()
        self._follow_drags()
        self._scan()
        self._reporter.set_phase("running")
        log.info("watching", inbox=str(runtime.storage.handle.path), events=runtime.watcher.kind)

    def tick(self) -> None:
        """Scans and claims as many photos as the pipeline has room for, or looks for a lost inbox.

        Raises:
            RetryAborted: The daemon stops during a retry.
        """
        self._heartbeat()
        runtime = self.runtime
        runtime.storage.check_database()
        handle = runtime.storage.handle
        if reason := handle.lost_reason():
            if handle.is_open:
                self._close_inbox(reason)
            self._reopen_inbox()
            return
        self._continue_scan()
        while not runtime.pipeline.full and not self._stopping.is_set() and runtime.claimer.claim_ready():
            self._heartbeat()
        self._report()

    def idle(self) -> bool:
        """Whether no photo is ready, settling or in flight, even after a new scan of the whole inbox."""
        intake = self.runtime.intake
        companions = self.runtime.companions
        if not self.runtime.storage.handle.is_open or not self.is_quiet():
            if companions is not None:
                companions.hurries = False
            return False
        if companions is not None and len(companions):
            companions.hurries = True  # nothing else is to be done
            return False
        self._scan()
        while intake.scanning and not len(intake.tracker) and not self._stopping.is_set():
            intake.continue_scan()
        return self.is_quiet()

    def sleep_s(self) -> float:
        """Time until there is work without a message (s)."""
        intake = self.runtime.intake
        if not self.runtime.storage.handle.is_open:
            return REOPEN_EVERY_S
        if intake.can_scan:
            return 0.0
        wake_at = self._next_scan
        due_at = self.runtime.claimer.next_due_at()
        if due_at is not None and not self.runtime.pipeline.full:
            wake_at = min(wake_at, due_at)
        return min(max(wake_at - time.monotonic(), 0.0), _IDLE_S)

    def handle(self, timeout_s: float) -> None:
        """Waits for a message for at most `timeout_s`, then handles all that have come."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                if isinstance(message, FileEvent) and message.kind == "unwatched":
                    self.runtime.watcher.watch_limit_reached()
                elif isinstance(message, FileEvent):
                    self.runtime.intake.handle(message)
                elif message is not None:
                    self.runtime.claimer.requeue(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _follow_drags(self) -> None:
        """Begins to look for photos that a person moved by hand; with `--once` looks for them now, and only now."""
        drags = self.runtime.drags
        if drags is None:
            return
        if self._once:
            drags.run_once(self._heartbeat, self._stopping)
        else:
            drags.start()

    def is_quiet(self) -> bool:
        """Whether no photo is ready, settling or in flight, as far as is known."""
        intake = self.runtime.intake
        in_flight = self.runtime.pipeline.in_flight or not self._messages.empty()
        return not in_flight and not intake.scanning and not len(intake.tracker)

    def _report(self) -> None:
        intake = self.runtime.intake
        companions = len(self.runtime.companions or ())
        self._progress.show(self._counts, len(intake.tracker) + companions + self.runtime.pipeline.in_flight)
        self._reporter.observe(intake.tracker, companions, scanning=intake.scanning)

    def _close_inbox(self, reason: str) -> None:
        """Finishes the photos in flight of an inbox that is no longer at its path, then closes it."""
        runtime = self.runtime
        handle = runtime.storage.handle
        runtime.storage.event_log.record(
            "inbox_lost", f"the inbox {handle.path} is gone ({reason}); sorting goes on when it is back"
        )
        handle.note_lost(runtime.retrier, reason)
        runtime.watcher.close()
        if runtime.drags is not None:
            runtime.drags.pause()
        while runtime.pipeline.in_flight and not self._stopping.is_set() and not self.failed:
            self._heartbeat()
            self.handle(_IDLE_S)
        self.handle(0)  # the last photos that came back
        handle.close()
        runtime.intake.reset()

    def _reopen_inbox(self) -> None:
        """Begins again with the folder at the inbox's path, if there is one."""
        runtime = self.runtime
        handle = runtime.storage.handle
        if handle.reopen(runtime.retrier):
            runtime.storage.reopen_database()
            runtime.storage.event_log.record("inbox_back", f"the inbox {handle.path} is back")
            self.begin()

    def _continue_scan(self) -> None:
        """Continues a scan of the inbox, or begins one when it is due; the interval counts from the end of the last."""
        runtime = self.runtime
        if runtime.intake.scanning:
            runtime.intake.continue_scan()
            self._next_scan = time.monotonic() + runtime.watcher.scan_interval_s
        elif time.monotonic() >= self._next_scan:
            runtime.watcher.reopen_if_due()
            self._scan()

    def _scan(self) -> None:
        """Begins a scan of the whole inbox: events are hints, the scan is the truth."""
        self.runtime.storage.claims.retry_returns()
        self.runtime.intake.scan()
