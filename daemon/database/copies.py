"""Complete copies of an SQLite database, made through SQLite, since recent changes may still be in its log."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from daemon.fs import dirfd

_STEP_PAGES = 4096
_STEP_INSTRUCTIONS = 1_000_000  # of SQLite's virtual machine, some milliseconds


def write_copy(
    source: sqlite3.Connection, part: Path, mode: int, on_progress: Callable[[], None] = lambda: None
) -> None:
    """Copies a database to a new file and syncs that to disk. The caller removes a partial copy: `remove_part`.

    Args:
        source: The database; its file may have lost its name.
        part: Path of the copy.
        mode: Permissions of the copy.
        on_progress: Called often.

    Raises:
        sqlite3.Error: SQLite cannot copy it.
        OSError: The file cannot be created or synced.
    """
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with closing(sqlite3.connect(part)) as target:
            target.execute("PRAGMA synchronous = OFF")  # the whole copy is synced once below
            source.backup(target, pages=_STEP_PAGES, progress=lambda *_: on_progress())
        dirfd.sync(fd)
    finally:
        os.close(fd)


def damage(copy: Path, on_progress: Callable[[], None]) -> str | None:
    """Returns the damage that SQLite finds in a copy: pages are copied as they are. Raises sqlite3.Error."""

    def report() -> int:
        on_progress()
        return 0  # go on

    with closing(sqlite3.connect(copy)) as connection:
        connection.set_progress_handler(report, _STEP_INSTRUCTIONS)
        try:
            (message,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            return str(error)
    return None if message == "ok" else str(message)


def remove_part(part: Path) -> None:
    """Removes a partial copy and what SQLite may have left beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(f"{part}{suffix}")
