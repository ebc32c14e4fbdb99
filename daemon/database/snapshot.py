"""Reads an SQLite database in one consistent state, and leaves no files beside it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

R = TypeVar("R")


def read_only_engine(path: Path, busy_timeout_s: float) -> sa.Engine:
    """Makes an engine that opens the file for each use and closes it afterwards.

    Args:
        path: The database file.
        busy_timeout_s: How long SQLite itself waits for a lock (s).
    """
    # The URL names no file, so SQLAlchemy takes it for a database in memory. Its pool for these keeps one connection
    # for each of a few threads and logs a traceback when it closes those of more; NullPool avoids that.
    options: dict[str, Any] = {"poolclass": sa.NullPool, "execution_options": {"file": path}}
    return sa.create_engine("sqlite://", creator=lambda: _connect(path, busy_timeout_s), **options)


def read_snapshot(engine: sa.Engine, query: Callable[[sa.Connection], R]) -> R:
    """Runs a query against one state of the database.

    A database without a log is read without locks. If it is written to meanwhile, the query runs again.

    Args:
        engine: The database.
        query: Reads everything that it needs from the connection before it returns.
    """
    path: Path | None = engine.get_execution_options().get("file")
    while True:
        before = None if path is None or _log(path).exists() else _stamp(path)
        try:
            with engine.connect() as connection:
                result = query(connection)
        except DBAPIError:
            if before is None or path is None or _stamp(path) == before:
                raise
        else:
            if before is None or path is None or _stamp(path) == before:
                return result


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    # Without a log no process has the database open. Then it needs no locks, and `immutable` keeps SQLite from creating
    # log files, which the daemon could not open if another user owns them.
    immutable = "" if _log(path).exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{immutable}", uri=True, timeout=busy_timeout_s)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
