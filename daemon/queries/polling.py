"""Reads a database again and again, and waits while it cannot be read."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from daemon.database import connections
from daemon.database.addresses import DatabaseError
from daemon.retry import back_off_s

T = TypeVar("T")

POLL_S = 0.5
_LONGEST_RETRY_S = 5.0  # shorter than the daemon's own back-off: a person is watching


def poll(
    read: Callable[[], Iterator[T]],
    close: Callable[[], None],
    pause: Callable[[float], bool],
    on_error: Callable[[DatabaseError], None],
) -> Iterator[T]:
    """Yields what `read` yields, again and again, until `pause` returns False.

    Args:
        read: Yields what is new.
        close: Closes the database: after each error, and at the end.
        pause: Waits for so many seconds; False ends the reading.
        on_error: Called once when the database cannot be read, until it can be again.
    """
    failures = 0
    try:
        while True:
            try:
                with connections.database_errors():
                    yield from read()
                failures = 0
            except DatabaseError as error:
                close()
                if failures == 0:
                    on_error(error)
                failures += 1
            if not pause(min(back_off_s(failures), _LONGEST_RETRY_S) if failures else POLL_S):
                return
    finally:
        close()
