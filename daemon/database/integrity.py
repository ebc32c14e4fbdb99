"""Damaged SQLite files: told from disks that cannot be read, and renamed so that a person can examine or repair them."""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from daemon.database import addresses
from daemon.database.addresses import DatabaseError
from daemon.database.connections import is_damaged
from daemon.database.timestamps import file_stamp

SUFFIXES = ("", *addresses.LOG_SUFFIXES)
"""What SQLite appends to the name of a database for its files."""

_PIECE_BYTES = 1 << 20
_ERROR_CODE = re.compile(r"error code[ =](\d+)")
_UNREADABLE = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}


def find_damage(path: Path) -> str | None:
    """Checks a database file with SQLite's quick_check.

    SQLite reports a read error of the disk as damage, too. So damage counts only when the system can read the whole
    file, and a second check through a new connection finds damage again.

    Args:
        path: The file. No connection of this process may be open: reading the file releases SQLite's locks on it.

    Returns:
        The damage, or None when the file is sound or missing.

    Raises:
        DatabaseError: The file cannot be checked, for instance because it is locked or the disk cannot be read.
    """
    if not path.exists() or quick_check(path) is None:
        return None
    _read_through(path)
    return quick_check(path)


def refuse_damaged(address: sa.URL) -> None:
    """Refuses a damaged database file, since only a person may decide to go on without its rows.

    Raises:
        DatabaseError: The file is damaged, or cannot be checked.
    """
    path = addresses.sqlite_file(address)
    damage = find_damage(path) if path else None
    if damage is not None:
        raise DatabaseError(
            f"the database {path} is damaged ({damage}); no photo was touched."
            " Restore a backup of it, or let `foodsort repair` save the rows that can still be read"
        )


def set_aside(path: Path, reason: str = "corrupt") -> Path:
    """Renames a database file and its log files to `<name>.<reason>-<UTC time>`; returns the new path."""
    target = f"{path}.{reason}-{file_stamp()}"
    # The database first: after a crash in between, SQLite drops a log without its database, whereas a database without
    # its log would pass for an older state.
    for suffix in SUFFIXES:
        if os.path.lexists(f"{path}{suffix}"):
            os.rename(f"{path}{suffix}", f"{target}{suffix}")
    return Path(target)


def quick_check(path: Path) -> str | None:
    """Returns the damage that SQLite reports first. Raises DatabaseError."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=addresses.BUSY_TIMEOUT_S)) as connection:
            (report,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            message = " ".join(str(report).split())  # the report has lines
            code = _ERROR_CODE.search(message)
            if code and int(code[1]) & 0xFF in _UNREADABLE:
                raise sqlite3.OperationalError(message)
    except sqlite3.DatabaseError as error:
        if is_damaged(error):
            return str(error)
        raise DatabaseError(f"the database {path} cannot be used: {error}") from error
    return None if message == "ok" else message


def _read_through(path: Path) -> None:
    """Reads a database and its log, so that an error of the disk is found. Raises DatabaseError."""
    for suffix in SUFFIXES[:2]:
        try:
            with open(f"{path}{suffix}", "rb", buffering=0) as file:
                while file.read(_PIECE_BYTES):
                    pass
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DatabaseError(f"the database {path}{suffix} cannot be read: {error.strerror}") from error
