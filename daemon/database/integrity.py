"""Damaged SQLite files: found before use, and renamed so that a person can examine or repair them."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from daemon.database import addresses
from daemon.database.addresses import DatabaseError
from daemon.database.connections import is_damaged

_SUFFIXES = ("", "-wal", "-shm")


def find_damage(path: Path) -> str | None:
    """Checks a database file with SQLite's quick_check.

    Returns:
        The damage, or None when the file is sound or missing.

    Raises:
        DatabaseError: The file cannot be checked, for instance because it is locked.
    """
    if not path.exists():
        return None
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=addresses.BUSY_TIMEOUT_S)) as connection:
            (message,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damaged(error):
            return str(error)
        raise DatabaseError(f"the database {path} cannot be used: {error}") from error
    return None if message == "ok" else str(message)


def set_aside_if_damaged(address: sa.URL) -> str | None:
    """Renames a damaged database file to make room for a new one.

    Returns:
        A message for people, or None when nothing is damaged.

    Raises:
        DatabaseError: The file cannot be checked.
        OSError: The file cannot be renamed.
    """
    path = addresses.sqlite_file(address)
    damage = find_damage(path) if path else None
    if path is None or damage is None:
        return None
    return f"the database {path} is damaged ({damage}); it was renamed to {set_aside(path)}, and a new one is created"


def set_aside(path: Path) -> Path:
    """Renames a database file and its log files to `<name>.corrupt-<UTC time>`; returns the new path."""
    target = f"{path}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    # The database first: after a crash in between, SQLite drops a log without its database, whereas a database without
    # its log would pass for an older state.
    for suffix in _SUFFIXES:
        if os.path.lexists(f"{path}{suffix}"):
            os.rename(f"{path}{suffix}", f"{target}{suffix}")
    return Path(target)
