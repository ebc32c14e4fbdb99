"""An SQLite database that is read and not written: nothing is left beside its file, and what is found is of one moment."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

_Found = TypeVar("_Found")


def engine(path: Path, busy_s: float) -> sa.Engine:
    """Reads a database. Each use opens it anew. busy_s: how long SQLite itself waits for a lock."""
    # By its address SQLAlchemy takes it for one in memory: it would keep a connection for each of a few threads, and fail, with a
    # traceback in the log, at closing those of more.
    options: dict[str, Any] = {"poolclass": sa.NullPool, "execution_options": {"file": path}}
    return sa.create_engine("sqlite://", creator=lambda: _read_only(path, busy_s), **options)


def at_one_moment(engine: sa.Engine, ask: Callable[[sa.Connection], _Found]) -> _Found:
    """What is found in one state of the database: asked again where its file had no log yet, and was written to meanwhile.

    ask: takes all that it wants of the connection before it returns.
    """
    path: Path | None = engine.get_execution_options().get("file")
    while True:
        before = None if path is None or _log(path).exists() else _stamp(path)
        try:
            with engine.connect() as connection:
                found = ask(connection)
        except DBAPIError:
            if before is None or path is None or _stamp(path) == before:
                raise
        else:
            if before is None or path is None or _stamp(path) == before:
                return found


def _read_only(path: Path, busy_s: float) -> sqlite3.Connection:
    """Leaves nothing beside the database, not even where SQLite would: the daemon could not open a reader's files."""
    # Without a log nobody has it open, so nothing needs to be locked, and no log is made.
    alone = "" if _log(path).exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{alone}", uri=True, timeout=busy_s)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
