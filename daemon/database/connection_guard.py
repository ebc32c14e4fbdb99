"""Guards the connections of the daemon: each leads to the file that has the database's name when it is used."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from daemon.database import connections, integrity
from daemon.database.open_file import OpenFile, wait_for_file
from models.errors import FoodsortError

_OPEN_FILE = "open_file"
"""Key of the open file in the `info` of a connection."""


def guard_connections(engine: sa.Engine, current: Callable[[], OpenFile | None], check: Callable[[], None]) -> None:
    """Guards all connections of an engine from now on.

    Args:
        engine: The database, an SQLite file.
        current: Returns the file that is in use.
        check: Mends the file, or raises an error that passes. Called before each use of a connection, so it is quick as
            long as the file has its name.
    """

    def before_connect(*_: object) -> None:
        check()
        file = current()
        # SQLite would create an empty file in the place of one that is missing.
        if file is not None and not file.is_at_path():
            wait_for_file(f"the folder of the database {file.name} is gone or was replaced")

    def mark(_connection: object, record: Any) -> None:
        record.info[_OPEN_FILE] = current()

    def before_use(_connection: object, record: Any, _proxy: object) -> None:
        check()
        if record.info.get(_OPEN_FILE) is not current():
            wait_for_file("a connection had another file open than the database")

    def on_error(context: Any) -> BaseException | None:
        file = current()
        return None if file is None else _unless_damaged(file, context)

    engine.dispose()  # its open connections do not know their file
    sa.event.listen(engine, "do_connect", before_connect)
    sa.event.listen(engine, "connect", mark)
    sa.event.listen(engine, "checkout", before_use)
    sa.event.listen(engine, "handle_error", on_error)


def require_current(connection: sa.Connection) -> None:
    """Checks, after a commit, that it did not go into a file without a name.

    Raises:
        DatabaseError: It did; the error is transient, and the next attempt writes into the right file.
        OSError: The folder cannot be searched.
    """
    file: OpenFile | None = connection.info.get(_OPEN_FILE)
    if file is not None and file.state() != "current":
        wait_for_file(f"the database {file.name} was removed, renamed or replaced during a write")


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that counts only if the file that it went to still has its name after the commit."""
    with engine.connect() as connection:
        with connection.begin():
            yield connection
        require_current(connection)


def _unless_damaged(file: OpenFile, context: Any) -> BaseException | None:
    """An error to wait for in the place of one that reports damage which a new connection does not find.

    SQLite reports a read error of the disk as damage.
    """
    error = context.original_exception
    if not connections.is_damaged(error):
        return None
    with suppress(FoodsortError):
        if integrity.quick_check(file.path) is not None:
            return None
    cause = sqlite3.OperationalError(f"disk I/O error ({error})")
    return sa.exc.OperationalError(context.statement, context.parameters, cause)
