"""Writes the status once a second, even while all other threads wait for a disk or a database."""

import os
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Literal

from daemon.database.timestamps import format_time
from daemon.inbox.readiness import ReadinessTracker
from daemon.monitoring import log
from daemon.monitoring.health import Health, assess
from daemon.monitoring.status_document import (
    ErrorStatus,
    PhotoCounts,
    RetryStatus,
    State,
    StatusDocument,
    WaitingPhoto,
)
from daemon.monitoring.status_file import StatusFile
from daemon.monitoring.status_text import in_short
from daemon.monitoring.systemd import notify
from daemon.retry import PendingRetry
from daemon.service.runtime import ProcessContext, Runtime
from models.filenames import escape_name

Phase = Literal["starting", "running", "stopping"]

_EVERY_S = 1.0
_PATH_CHARACTERS = 300  # a path may have thousands, and the status keeps ten of them


class StatusReporter:
    """Gathers the status from the runtime and writes it.

    Attributes:
        runtime: The current runtime.
        waiting: Number of files of the inbox that wait in memory.
    """

    def __init__(self, context: ProcessContext, runtime: Runtime) -> None:
        """Prepares the first status.

        Args:
            context: The objects that outlive the runtime.
            runtime: The runtime that is about to be opened.
        """
        self.runtime = runtime
        self.waiting = 0
        self._metrics = context.metrics
        self._phase: Phase = "starting"
        self._started_at = datetime.now(UTC)
        self._last_tick = time.monotonic()
        self._more_waiting = False
        self._oldest_file: tuple[bytes, float] | None = None
        self._next_oldest = 0.0
        self._filed: deque[tuple[float, int]] = deque()
        self._notified = ""
        self._ended = threading.Event()
        self._file = StatusFile(context.root)
        self._thread = threading.Thread(target=self._run, name="status")

    def start(self) -> None:
        """Writes the first status and starts the thread."""
        self._file.write(self._status())
        self._thread.start()

    def stop(self) -> None:
        """Writes that the daemon has stopped."""
        self._ended.set()
        self._thread.join()
        status = self._status()
        status["state"] = "stopped"
        status["waiting_for"] = None
        self._file.write(status)
        self._file.close()

    def set_runtime(self, runtime: Runtime) -> None:
        """Reports about another runtime from now on."""
        self.runtime = runtime

    def set_phase(self, phase: Phase) -> None:
        """Reports another phase from now on."""
        self._phase = phase

    def tick(self) -> None:
        """Notes that the main loop moves."""
        self._last_tick = time.monotonic()

    def observe(self, tracker: ReadinessTracker, companions: int, *, scanning: bool) -> None:
        """Notes the files that wait. Called very often.

        Args:
            tracker: The files.
            companions: Number of companions that wait for their photos.
            scanning: Whether a scan is under way, so that there may be more.
        """
        self.waiting = len(tracker) + companions
        self._more_waiting = scanning
        now = time.monotonic()
        oldest = self._oldest_file
        # Finding the oldest of many takes a while. No new file is older, but the oldest may be gone.
        if (oldest is None or oldest[0] not in tracker or now >= self._next_oldest) and (oldest or self.waiting):
            self._oldest_file = tracker.oldest
            self._next_oldest = now + _EVERY_S

    @property
    def health(self) -> Health:
        """Whether the daemon sorts photos, or would sort them."""
        pending = self.runtime.retrier.pending
        still_s = time.monotonic() - self._last_tick
        return assess(self._state(pending), pending, still_s, self._metrics.stages.stuck)

    @property
    def oldest_s(self) -> float:
        """Wait of the photo that has waited longest, in flight or in the inbox (s); 0 when none waits."""
        runtime = self.runtime
        claimed = runtime.pipeline.oldest if runtime.is_open else None
        file = self._oldest_file
        starts = ([claimed[1]] if claimed else []) + ([file[1]] if file else [])
        return time.monotonic() - min(starts) if starts else 0.0

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            status = self._status()
            self._file.write(status)
            self._notify_systemd(status)

    def _notify_systemd(self, status: StatusDocument) -> None:
        line = in_short(status)
        if line != self._notified and self._phase == "running":
            notify(f"STATUS={line}")
            self._notified = line

    def _status(self) -> StatusDocument:
        runtime = self.runtime
        pipeline = runtime.pipeline if runtime.is_open else None
        model = runtime.model if runtime.is_open else None
        watcher = runtime.watcher if runtime.is_open else None
        pending = runtime.retrier.pending
        counts = self._metrics.counts.copy()
        return {
            "alive": True,
            "pid": os.getpid(),
            "since": format_time(self._started_at),
            "state": self._state(pending),
            "waiting_for": _retry_status(pending) if pending else None,
            "queue": {"inbox": self.waiting, "in_flight": pipeline.in_flight if pipeline else 0},
            "more_waiting": self._more_waiting,
            "oldest_waiting": self._oldest(),
            "photos": _photo_counts(counts),
            "rate_per_min": self._rate(counts.total()),
            "slowest_stage": self._metrics.stages.slowest,
            "model": model.bundle.model_name if model else None,
            "engine": model.engine.name if model else None,
            "drift": self._metrics.drift,
            "events": {"kind": watcher.kind, "why": watcher.degraded_reason or None} if watcher else None,
            "last_errors": [_shorten(error) for error in log.recent.copy()],
        }

    def _state(self, pending: PendingRetry | None) -> State:
        if self._phase == "stopping":
            return "stopping"
        if pending:
            return "waiting"
        if self._phase == "starting" or not self.runtime.is_open:
            return "starting"
        return "polling" if self.runtime.watcher.degraded_reason else "watching"

    def _oldest(self) -> WaitingPhoto | None:
        """The oldest photo in flight, or else the oldest file in the inbox."""
        claimed = self.runtime.pipeline.oldest if self.runtime.is_open else None
        if claimed:
            photo = claimed[0]
            return {"path": _short_path(escape_name(photo.path)), "since": format_time(photo.claimed_at)}
        if self._oldest_file is None:
            return None
        path, since = self._oldest_file
        began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - since)
        return {"path": _short_path(escape_name(path)), "since": format_time(began.replace(microsecond=0))}

    def _rate(self, filed: int) -> int:
        now = time.monotonic()
        self._filed.append((now, filed))
        while self._filed[0][0] < now - 60:
            self._filed.popleft()
        return filed - self._filed[0][1]


def _retry_status(pending: PendingRetry) -> RetryStatus:
    return {
        "what": pending.reason,
        "since": format_time(pending.since),
        "attempt": pending.attempt,
        "next_try": format_time(pending.next_try),
    }


def _photo_counts(counts: Counter[str]) -> PhotoCounts:
    return {
        "food": counts["food"],
        "non_food": counts["non_food"],
        "unsure": counts["unsure"],
        "duplicate": counts["duplicate"],
        "other": counts["other"],
        "failed": counts["failed"],
    }


def _shorten(error: ErrorStatus) -> ErrorStatus:
    path = error["path"]
    return {**error, "path": None if path is None else _short_path(path)}


def _short_path(path: str) -> str:
    return path if len(path) <= _PATH_CHARACTERS else "…" + path[1 - _PATH_CHARACTERS :]
