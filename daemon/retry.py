"""The one retry policy of the daemon: which errors pass by themselves, back-off, and the retries that are pending."""

import errno
import itertools
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

import structlog
import tenacity

from models.errors import FoodsortError

log = structlog.get_logger()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
BRIEF_ATTEMPTS = 3
BRIEF_PAUSE_S = 0.1

TRANSIENT_ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EBUSY,
        errno.EAGAIN,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
    }
)
"""Error numbers that describe the present state of the machine, not the file."""

P = ParamSpec("P")
R = TypeVar("R")


class RetryAborted(FoodsortError):
    """Raised when the daemon is stopped while an operation waits for its next attempt."""


@dataclass(frozen=True)
class PendingRetry:
    """An operation that failed and will be tried again.

    Attributes:
        reason: The error, for people.
        since: Time of the first failure (UTC).
        attempt: Number of failed attempts.
        pause_s: Seconds between the last attempt and the next.
        next_try: Time of the next attempt (UTC).
    """

    reason: str
    since: datetime
    attempt: int
    pause_s: float
    next_try: datetime


class Retrier:
    """Repeats operations with back-off and knows which are pending. Used by any thread."""

    def __init__(self, abort: threading.Event, on_wait: Callable[[], None] = lambda: None) -> None:
        """Creates a retrier without pending operations.

        Args:
            abort: Ends all waiting when it is set.
            on_wait: Called before each pause, by the thread that pauses.
        """
        self._abort = abort
        self._on_wait = on_wait
        self._pending: dict[object, PendingRetry] = {}

    @property
    def pending(self) -> PendingRetry | None:
        """The operation that has been failing longest, None when none is pending."""
        return min(self._pending.copy().values(), key=lambda pending: pending.since, default=None)

    def __call__(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Repeats an operation on a claimed photo, which is never given up, until no retryable error occurs.

        Raises:
            RetryAborted: The daemon is stopped. Errors that are not retryable, such as FileExistsError, are raised as well.
        """
        return self._retry(is_retryable, operation, *args, **kwargs)

    def retry_transient(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Repeats an operation until no transient error occurs. Errors that a person has to fix are raised.

        Raises:
            RetryAborted: The daemon is stopped.
        """
        return self._retry(is_transient, operation, *args, **kwargs)

    def note(self, key: object, reason: str, pause_s: float | None = None) -> PendingRetry:
        """Records that an operation failed which the caller itself tries again.

        Args:
            key: Identifies the operation until `clear`.
            reason: The error, for people.
            pause_s: Seconds until the caller's next attempt; None: by back-off.

        Returns:
            The pending retry, with the pause that the caller has to make.
        """
        prior = self._pending.get(key)
        now = datetime.now(UTC)
        attempt = prior.attempt + 1 if prior else 1
        pause_s = back_off_s(attempt) if pause_s is None else pause_s
        pending = PendingRetry(
            reason=reason,
            since=prior.since if prior else now,
            attempt=attempt,
            pause_s=pause_s,
            next_try=now + timedelta(seconds=pause_s),
        )
        self._pending[key] = pending
        self._on_wait()
        return pending

    def clear(self, key: object) -> None:
        """Records that the operation no longer fails."""
        self._pending.pop(key, None)

    def _retry(
        self,
        should_retry: Callable[[BaseException], bool],
        operation: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        key = threading.get_ident()
        try:
            for attempt in itertools.count(1):
                try:
                    return operation(*args, **kwargs)
                except BaseException as error:
                    if not should_retry(error):
                        raise
                    if self._abort.is_set():
                        raise RetryAborted(f"stopped while waiting: {error}") from error
                    pending = self.note(key, str(error))
                _log(pending)
                self._abort.wait(back_off_s(attempt))
        finally:
            self.clear(key)
        raise AssertionError  # the attempts never end


def retry_briefly(operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Repeats an operation that continues where it failed, a few times: a person waits.

    Raises:
        Exception: The error of the last attempt, or one that is not transient.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(BRIEF_ATTEMPTS),
        wait=tenacity.wait_fixed(BRIEF_PAUSE_S),
        reraise=True,
    )
    return retrying(operation, *args, **kwargs)


def back_off_s(attempt: int) -> float:
    """Returns the pause (s) after a failed attempt, numbered from 1: 0.5 s, doubled each time, 30 s at most."""
    return min(FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE_S)


def is_transient(error: BaseException) -> bool:
    """Whether an error describes the present state of the machine: disk full or read-only, database locked or away, ….

    A FoodsortError counts as its cause.
    """
    if isinstance(error, FoodsortError) and error.__cause__ is not None:
        return is_transient(error.__cause__)
    if isinstance(error, OSError):
        return error.errno in TRANSIENT_ERRNOS
    # Imported only when something failed: commands without a database start faster.
    from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

    # PostgreSQL reports a read-only server as an internal error, as one with a full disk or in a failover is.
    return isinstance(error, OperationalError | InterfaceError | InternalError | sqlite3.OperationalError)


def is_retryable(error: BaseException) -> bool:
    """Whether an operation on a claimed photo is worth another attempt; a person may have to fix the cause first."""
    return is_transient(error) or (isinstance(error, OSError) and not isinstance(error, FileExistsError))


def _log(pending: PendingRetry) -> None:
    log.warning(
        "waiting to try again",
        kind="waiting",
        reason=pending.reason,
        attempt=pending.attempt,
        pause_s=pending.pause_s,
    )
