import errno
import os
import threading

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from daemon.database import addresses
from daemon.retry import Retrier, RetryAborted, back_off_s, is_retryable, is_transient

LOCKED = OperationalError("INSERT", {}, Exception("database is locked"))
DAMAGED = DatabaseError("INSERT", {}, Exception("database disk image is malformed"))


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def wrapped(cause: Exception) -> Exception:
    try:
        raise addresses.DatabaseError("the database cannot be used") from cause
    except addresses.DatabaseError as error:
        return error


@pytest.mark.parametrize(
    ("error", "transient", "retryable"),
    [
        (os_error(errno.ENOSPC), True, True),
        (os_error(errno.EROFS), True, True),
        (os_error(errno.EMFILE), True, True),
        (os_error(errno.EACCES), False, True),
        (os_error(errno.ENOENT), False, True),
        (os_error(errno.EEXIST), False, False),
        (LOCKED, True, True),
        (DAMAGED, False, False),
        (wrapped(LOCKED), True, True),
        (wrapped(DAMAGED), False, False),
        (AssertionError("a bug"), False, False),
    ],
)
def test_errors_are_transient_or_permanent_and_retryable_or_not(
    error: Exception, *, transient: bool, retryable: bool
) -> None:
    assert is_transient(error) is transient
    assert is_retryable(error) is retryable


def test_pauses_double_up_to_a_maximum() -> None:
    assert [back_off_s(attempt) for attempt in (1, 2, 3, 7, 10**6)] == [0.5, 1, 2, 30, 30]


def test_an_operation_is_repeated_and_pending_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.retry.FIRST_PAUSE_S", 0.001)
    retrier = Retrier(threading.Event())
    pending = []

    def operation(result: str) -> str:
        pending.append(retrier.pending)
        if len(pending) < 3:
            raise os_error(errno.ENOSPC)
        return result

    assert retrier(operation, "done") == "done"
    assert pending[0] is None
    second, third = pending[1:]
    assert second is not None
    assert third is not None
    assert ("No space left" in second.reason, second.attempt, third.attempt) == (True, 1, 2)
    assert second.since == third.since <= second.next_try
    assert retrier.pending is None


def test_other_errors_are_raised_unchanged() -> None:
    retrier = Retrier(threading.Event())
    with pytest.raises(PermissionError):
        retrier.retry_transient(os.rmdir, _raising(PermissionError(errno.EACCES, "no")))
    with pytest.raises(FileExistsError):
        retrier(os.rmdir, _raising(FileExistsError(errno.EEXIST, "there")))


def test_a_stop_ends_the_wait() -> None:
    abort = threading.Event()
    retrier = Retrier(abort)

    def operation() -> None:
        abort.set()
        raise LOCKED

    with pytest.raises(RetryAborted, match="database is locked"):
        retrier(operation)
    assert retrier.pending is None


def test_noted_failures_are_pending_until_cleared() -> None:
    waits: list[int] = []
    retrier = Retrier(threading.Event(), on_wait=lambda: waits.append(1))
    first = retrier.note("inbox", "gone", pause_s=1)
    assert (first.reason, first.attempt, first.pause_s) == ("gone", 1, 1)
    second = retrier.note("inbox", "still gone")
    assert (second.attempt, second.pause_s, second.since) == (2, back_off_s(2), first.since)
    retrier.note("other", "later")
    assert retrier.pending == second
    retrier.clear("inbox")
    assert [retrier.pending and retrier.pending.reason, len(waits)] == ["later", 3]
    retrier.clear("other")
    retrier.clear("other")
    assert not retrier.pending


class _raising:  # noqa: N801
    """A path that raises an error when it is used."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __fspath__(self) -> str:
        raise self._error
