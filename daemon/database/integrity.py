"""A damaged SQLite file: found before it is used, and moved aside, where it can be looked at and mended."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from daemon.database import addresses
from daemon.database.addresses import DatabaseError
from daemon.database.connections import damaged

_BESIDE = ("", "-wal", "-shm")


def damage(path: Path) -> str | None:
    """What is wrong with a database file by SQLite's own quick_check; None when nothing is, or there is no file.

    Raises DatabaseError when it cannot be checked, for instance because it is locked.
    """
    if not path.exists():
        return None
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=addresses.BUSY_S)
        ) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if damaged(error):
            return str(error)
        raise DatabaseError(f"the database {path} cannot be used: {error}") from error
    return None if said == "ok" else str(said)


def mend(address: sa.URL) -> str | None:
    """Moves a damaged database aside to make room for a new one; returns what to tell. Raises DatabaseError, OSError."""
    path = addresses.file_of(address)
    wrong = damage(path) if path else None
    if path is None or wrong is None:
        return None
    return f"the database {path} is damaged ({wrong}); it lies at {set_aside(path)} now, and a new one is begun"


def set_aside(path: Path) -> Path:
    """Renames a database file, with what lies beside it, to `<name>.corrupt-<UTC time>`; returns the new name."""
    aside = f"{path}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    # The file itself first: a log without its file is dropped, a file without its log is an older one.
    for end in _BESIDE:
        if os.path.lexists(f"{path}{end}"):
            os.rename(f"{path}{end}", f"{aside}{end}")
    return Path(aside)
