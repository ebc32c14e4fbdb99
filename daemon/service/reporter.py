"""Writes the daemon's status once a second, also while every other thread of it waits for a disk or a database."""

import os
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.database.timestamps import format_time
from daemon.inbox.readiness import ReadinessTracker
from daemon.monitoring import log
from daemon.monitoring.drift import Drift
from daemon.monitoring.health import Health, judge
from daemon.monitoring.progress import ORDER
from daemon.monitoring.status_file import StatusDocument, StatusFile
from daemon.monitoring.status_text import in_short
from daemon.monitoring.systemd import notify
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import PendingRetry
from daemon.service.runtime import ProcessContext, Runtime
from models.filenames import escape_name

_EVERY_S = 1.0
_PATH_CHARACTERS = 300  # a path may have thousands, and ten of them are kept


class StatusReporter:
    """Gathers what there is to say, more and more as the daemon starts."""

    def __init__(self, root: Path, lasting: ProcessContext, session: Runtime) -> None:
        self.phase = "starting"
        """`starting`, `running` or `stopping`."""
        self.session = session
        """What is open, or about to be."""
        self._metrics, self._counts = lasting.metrics, lasting.counts
        self._told = ""
        self._since = datetime.now(UTC)
        self._moved = time.monotonic()
        self._waiting, self._more = 0, False
        self._oldest_file: tuple[bytes, float] | None = None
        self._next_oldest = 0.0
        self._filed: deque[tuple[float, int]] = deque()
        self._ended = threading.Event()
        self._file = StatusFile(root)
        self._thread = threading.Thread(target=self._beat, name="status")

    def start(self) -> None:
        """Writes the first state and starts the thread."""
        self._file.write(self._state())
        self._thread.start()

    def stop(self) -> None:
        """Writes that the daemon has stopped."""
        self._ended.set()
        self._thread.join()
        self._file.write(self._state() | {"state": "stopped", "waiting_for": None})
        self._file.close()

    def moved(self) -> None:
        """The daemon's loop goes on."""
        self._moved = time.monotonic()

    def see(self, inbox: ReadinessTracker, *, more: bool) -> None:
        """Takes note of the files that wait, and of whether there may be more. Called very often."""
        self._waiting, self._more = len(inbox), more
        now = time.monotonic()
        oldest = self._oldest_file
        # Which takes a while to find among many. Nothing new is older, but the oldest may be gone.
        if (oldest is None or oldest[0] not in inbox or now >= self._next_oldest) and (oldest or self._waiting):
            self._oldest_file, self._next_oldest = inbox.oldest, now + _EVERY_S

    @property
    def health(self) -> Health:
        """Whether photos are being sorted, or would be."""
        trouble = self.session.patience.pending
        return judge(self._named(trouble), trouble, time.monotonic() - self._moved, self.session.heart.stuck)

    @property
    def in_trouble(self) -> bool:
        """Whether trouble is being waited out."""
        return self.session.patience.pending is not None

    @property
    def pipeline(self) -> Pipeline | None:
        """The one in use, once there is one."""
        return self.session.pipeline if self.session.is_open else None

    @property
    def network(self) -> LoadedModel | None:
        """The one in use, once there is one."""
        return self.session.network if self.session.is_open else None

    @property
    def drift(self) -> Drift | None:
        """How far the newest photos are from those that the model was made with."""
        return self._metrics.drift.drift() if self._metrics.drift else None

    @property
    def waiting(self) -> int:
        """Files of the inbox that wait in memory."""
        return self._waiting

    @property
    def oldest_s(self) -> float:
        """How long the photo has waited that has waited longest, in flight or in the inbox (s); 0 when none waits."""
        held = self.pipeline and self.pipeline.oldest
        oldest = self._oldest_file
        sinces = ([held[1]] if held else []) + ([oldest[1]] if oldest else [])
        return time.monotonic() - min(sinces) if sinces else 0.0

    def _beat(self) -> None:
        while not self._ended.wait(_EVERY_S):
            state = self._state()
            self._file.write(state)
            self._tell_systemd(state)

    def _tell_systemd(self, state: StatusDocument) -> None:
        told = in_short(state)
        if told != self._told and self.phase == "running":
            notify(f"STATUS={told}")
            self._told = told

    def _state(self) -> StatusDocument:
        trouble, pipeline, network, drift = self.session.patience.pending, self.pipeline, self.network, self.drift
        lookout = self.session.lookout if self.session.is_open else None
        counts = self._counts.copy()
        return {
            "alive": True,
            "pid": os.getpid(),
            "since": format_time(self._since),
            "state": self._named(trouble),
            "waiting_for": trouble and _told(trouble),
            "queue": {"inbox": self._waiting, "in_flight": pipeline.in_flight if pipeline else 0},
            "more_waiting": self._more,
            "oldest_waiting": self._oldest(),
            "photos": {name: counts.get(name, 0) for name in ORDER},
            "rate_per_min": self._rate(sum(counts.values())),
            "slowest_stage": pipeline and pipeline.slowest_stage,
            "model": network and network.bundle.model_name,
            "engine": network and network.engine.name,
            "drift": drift and drift._asdict() | {"shifted": drift.shifted},
            "events": lookout and {"kind": lookout.kind, "why": lookout.degraded_reason or None},
            "last_errors": [error | {"path": _short(error["path"])} for error in log.recent.copy()],
        }

    def _named(self, trouble: PendingRetry | None) -> str:
        if self.phase == "stopping":
            return "stopping"
        if trouble:
            return "waiting"
        if self.phase == "starting" or not self.session.is_open:
            return "starting"
        return "polling" if self.session.lookout.degraded_reason else "watching"

    def _oldest(self) -> dict[str, str | None] | None:
        """Of the photos in flight, or else of those in the inbox, the one that has waited longest."""
        held = self.pipeline and self.pipeline.oldest
        if held:
            return {"path": _short(escape_name(held[0].path)), "since": format_time(held[0].claimed_at)}
        oldest = self._oldest_file
        if oldest is None:
            return None
        path, since = oldest
        began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - since)
        return {"path": _short(escape_name(path)), "since": format_time(began.replace(microsecond=0))}

    def _rate(self, filed: int) -> int:
        now = time.monotonic()
        self._filed.append((now, filed))
        while self._filed[0][0] < now - 60:
            self._filed.popleft()
        return filed - self._filed[0][1]


def _told(trouble: PendingRetry) -> dict[str, str | int]:
    since, next_try = format_time(trouble.since), format_time(trouble.next_try)
    return {"what": trouble.reason, "since": since, "attempt": trouble.attempt, "next_try": next_try}


def _short(path: str | None) -> str | None:
    return path if path is None or len(path) <= _PATH_CHARACTERS else "…" + path[1 - _PATH_CHARACTERS :]
