"""Waiting out what passes by itself: a full disk, a locked database, a missing mount. One policy for all of the daemon."""

import errno
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

import structlog
import tenacity
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from models.errors import FoodsortError

log = structlog.get_logger()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

TRANSIENT_ERRNOS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EBUSY, errno.EAGAIN),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN),
    }
)
"""Error numbers that say something of the machine as it is now, and nothing of the file."""

P = ParamSpec("P")
R = TypeVar("R")


class RetryAborted(FoodsortError):
    """Raised when the daemon is told to stop while it on_wait for trouble to pass."""


@dataclass(frozen=True)
class PendingRetry:
    """What is being waited out: what happened, since when, how often it was tried, and when it is tried again."""

    reason: str
    since: datetime
    attempt: int
    next_try: datetime


class Retrier:
    """Tries again with back-off until it works or `abort` is set, and knows what it is waiting for. Used by any thread."""

    def __init__(self, abort: threading.Event, on_wait: Callable[[], None] = lambda: None) -> None:
        """on_wait: called before each pause, in the thread that makes it."""
        self._abort, self._waits = abort, on_wait
        self._pending: dict[object, PendingRetry] = {}

    @property
    def pending(self) -> PendingRetry | None:
        """The trouble that lasts longest, None when there is none."""
        return min(self._pending.copy().values(), key=lambda trouble: trouble.since, default=None)

    def __call__(self, work: Callable[P, R], *words: P.args, **more: P.kwargs) -> R:
        """Does work for a photo in hand, which is never given up: whatever a disk or database says is waited out.

        Raises what `work` raises otherwise, FileExistsError included, and RetryAborted.
        """
        return self._try(work, is_retryable, *words, **more)

    def retry_transient(self, work: Callable[P, R], *words: P.args, **more: P.kwargs) -> R:
        """Does work that only the machine's own trouble delays; what a person has to mend is raised. Raises RetryAborted."""
        return self._try(work, is_transient, *words, **more)

    def note(self, key: object, reason: str, pause_s: float | None = None) -> float:
        """Notes trouble that the caller on_wait out itself; returns how long to wait (s)."""
        prior = self._pending.get(key)
        attempt = prior.attempt + 1 if prior else 1
        pause_s = back_off_s(attempt) if pause_s is None else pause_s
        now = datetime.now(UTC)
        since = prior.since if prior else now
        self._pending[key] = PendingRetry(reason, since, attempt, now + timedelta(seconds=pause_s))
        self._waits()
        return pause_s

    def clear(self, key: object) -> None:
        """The trouble has passed."""
        self._pending.pop(key, None)

    def _try(
        self,
        work: Callable[P, R],
        waited_out: Callable[[BaseException], bool],
        *words: P.args,
        **more: P.kwargs,
    ) -> R:
        key = threading.get_ident()

        def say(state: tenacity.RetryCallState) -> None:
            error = state.outcome and state.outcome.exception()
            pause_s = self.note(key, str(error), back_off_s(state.attempt_number))
            log.warning(
                "waiting to try again", kind="waiting", reason=str(error), attempt=state.attempt_number, pause_s=pause_s
            )

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(waited_out),
            wait=lambda state: back_off_s(state.attempt_number),
            stop=tenacity.stop_when_event_set(self._abort),
            sleep=tenacity.sleep_using_event(self._abort),
            before_sleep=say,
        )
        try:
            return retrying(work, *words, **more)
        except tenacity.RetryError as end:
            raise RetryAborted(f"stopped while waiting: {end.last_attempt.exception()}") from end
        finally:
            self.clear(key)


def back_off_s(attempt: int) -> float:
    """Seconds to wait after the `attempt`-th try (from 1): doubling from half a second to half a minute."""
    return min(FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE_S)


def is_transient(error: BaseException) -> bool:
    """Whether trouble is of the machine as it is now: disk full or read-only, busy, no descriptors, database locked or away.

    An error of ours counts as what caused it.
    """
    if isinstance(error, FoodsortError) and error.__cause__ is not None:
        return is_transient(error.__cause__)
    if isinstance(error, OSError):
        return error.errno in TRANSIENT_ERRNOS
    # PostgreSQL calls it internal that a server is read-only, as one with a full disk or in a failover is.
    return isinstance(error, OperationalError | InterfaceError | InternalError | sqlite3.OperationalError)


def is_retryable(error: BaseException) -> bool:
    """Whether trouble with a photo that is claimed already is worth another try: also what a person may have to mend."""
    return is_transient(error) or (isinstance(error, OSError) and not isinstance(error, FileExistsError))
