"""Has a candidate made after enough new labels, while no photo waits: `[learn] auto`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from daemon.database import addresses, connections
from daemon.learning.jobs import JobKind, JobRunning, Jobs
from daemon.queries.labelled import count_labels_since
from daemon.registry import learned
from daemon.settings import Settings
from models.errors import FoodsortError

EVERY_S = 60.0
"""Seconds between two looks at the labels."""

log = structlog.get_logger()

_KINDS: Final[dict[str, JobKind]] = {"candidate": "learn", "promote": "learn_and_promote"}


class AutoLearning:
    """Starts `foodsort learn` for a root when it is due. Used by one thread."""

    def __init__(self, root: Path, on_failure: Callable[[str], None]) -> None:
        """Starts nothing yet.

        Args:
            root: The root.
            on_failure: Called with the reason when no candidate could be made.
        """
        self._root = root
        self._on_failure = on_failure
        self._started = False
        self._next = 0.0

    def tick(self, settings: Settings, *, idle: bool) -> None:
        """Starts a job if it is due, and reports the failure of the last one. Called often."""
        # A look that finds the daemon at work is not one: it would fall together with each scan of the inbox.
        if settings.learn.auto == "never" or not idle or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        try:
            self._look(settings, Jobs(self._root, settings.folders))
        except JobRunning:
            return
        except (FoodsortError, DBAPIError, OSError) as error:
            log.warning("no candidate is made", kind="learning", reason=str(error))

    def _look(self, settings: Settings, jobs: Jobs) -> None:
        status = jobs.status()
        if status is not None and status.running:
            return
        if self._started and status is not None:
            self._started = False
            if status.problem:
                self._on_failure(status.problem)
        # Labels given before the last attempt have had their chance.
        since = [model.made_at for model in learned.learned_models(self._root, settings.model.bundle)[:1]]
        if status is not None and status.job.kind in _KINDS.values():
            since.append(status.job.started_at)
        if self._count(settings, max(since, default="")) >= settings.learn.every:
            jobs.start(_KINDS[settings.learn.auto])
            self._started = True
            log.info("learning from new labels", kind="learning")

    def _count(self, settings: Settings, since: str) -> int:
        engine = connections.connect_to_read(addresses.database_url(self._root, settings.database.url))
        try:
            return count_labels_since(engine, since)
        finally:
            engine.dispose()
