import errno
import os
import threading

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from daemon.database import addresses
from daemon.retry import Retrier, RetryAborted, back_off_s, is_retryable, is_transient

LOCKED = OperationalError("INSERT", {}, Exception("database is locked"))
DAMAGED = DatabaseError("INSERT", {}, Exception("database disk image is malformed"))


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def of_ours(cause: Exception) -> Exception:
    try:
        raise addresses.DatabaseError("the database cannot be used") from cause
    except addresses.DatabaseError as error:
        return error


@pytest.mark.parametrize(
    ("trouble", "passing", "with_a_photo_in_hand"),
    [
        (error(errno.ENOSPC), True, True),
        (error(errno.EROFS), True, True),
        (error(errno.EMFILE), True, True),
        (error(errno.EACCES), False, True),
        (error(errno.ENOENT), False, True),
        (error(errno.EEXIST), False, False),
        (LOCKED, True, True),
        (DAMAGED, False, False),
        (of_ours(LOCKED), True, True),
        (of_ours(DAMAGED), False, False),
        (AssertionError("a bug"), False, False),
    ],
)
def test_which_trouble_is_waited_out(trouble: Exception, *, passing: bool, with_a_photo_in_hand: bool) -> None:
    assert is_transient(trouble) is passing
    assert is_retryable(trouble) is with_a_photo_in_hand


def test_pauses_double_and_have_an_end() -> None:
    assert [back_off_s(attempt) for attempt in (1, 2, 3, 7, 10**6)] == [0.5, 1, 2, 30, 30]


def test_it_tries_until_it_works_and_knows_meanwhile_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.retry.FIRST_PAUSE_S", 0.001)
    patience = Retrier(threading.Event())
    seen = []

    def work(answer: str) -> str:
        seen.append(patience.pending)
        if len(seen) < 3:
            raise error(errno.ENOSPC)
        return answer

    assert patience(work, "done") == "done"
    assert seen[0] is None
    second, third = seen[1:]
    assert second is not None
    assert third is not None
    assert ("No space left" in second.reason, second.attempt, third.attempt) == (True, 1, 2)
    assert second.since == third.since <= second.next_try
    assert patience.pending is None


def test_what_does_not_pass_is_raised_as_it_is() -> None:
    patience = Retrier(threading.Event())
    with pytest.raises(PermissionError):
        patience.retry_transient(os.rmdir, _raising(PermissionError(errno.EACCES, "no")))
    with pytest.raises(FileExistsError):
        patience(os.rmdir, _raising(FileExistsError(errno.EEXIST, "there")))


def test_a_stop_ends_the_waiting() -> None:
    stopping = threading.Event()
    patience = Retrier(stopping)

    def work() -> None:
        stopping.set()
        raise LOCKED

    with pytest.raises(RetryAborted, match="database is locked"):
        patience(work)
    assert patience.pending is None


class _raising:  # noqa: N801
    """A path that raises when it is looked at."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __fspath__(self) -> str:
        raise self._error
