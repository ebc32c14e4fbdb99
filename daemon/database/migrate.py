"""Brings a database of an earlier version up to date: a copy first, then every step in one transaction, or none of them."""

import filecmp
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from daemon.database import addresses
from daemon.database.addresses import DatabaseError
from daemon.fs import dirfd
from models import __version__

log = structlog.get_logger()


def upgrade(engine: sa.Engine, revision: str | None) -> None:
    """Migrates from a schema to the newest; None: from nothing.

    Raises DatabaseError when a newer foodsort wrote the schema, DatabaseError or OSError when there is no room for the
    copy, and DBAPIError.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise addresses.newer(engine.url, revision)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            # Python's driver begins one only before it writes a row: tables would be changed one by one.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if revision is not None:
            _back_up(engine.url, revision)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _back_up(address: sa.URL, revision: str) -> None:
    path = addresses.file_of(address)
    if path is None:
        log.warning("migrating the database; foodsort makes no copy of one on a server", schema=revision)
    else:
        log.warning("migrating the database", schema=revision, copy=str(copy(path)))


def copy(path: Path) -> Path:
    """Copies an SQLite database to `<name>.before-<version of foodsort>` beside it, on the disk when this returns.

    Never over another copy, which becomes one of several (`… (2)`); where the same one is there, that is returned.
    Raises DatabaseError, OSError; then nothing is left.
    """
    part = path.with_name(f"{path.name}.before-{__version__}.part")
    part.unlink(missing_ok=True)  # of a start that died
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _write(path, part)
        return _name(folder, part, f"{path.name}.before-{__version__}")
    except sqlite3.Error as error:
        raise DatabaseError(f"the database {path} cannot be copied before it is migrated: {error}") from error
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{part}{end}")
        os.close(folder)


def _write(path: Path, part: Path) -> None:
    """Writes the copy by SQLite's own means, since what others have just written may be in the log still."""
    new = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, path.stat().st_mode & 0o777)
    try:
        with (
            closing(sqlite3.connect(path, timeout=addresses.BUSY_S)) as source,
            closing(sqlite3.connect(part)) as target,
        ):
            target.execute("PRAGMA synchronous = OFF")  # all of it is synced below, at once
            source.backup(target)
        dirfd.sync(new)
    finally:
        os.close(new)


def _name(folder: int, part: Path, name: str) -> Path:
    """Gives a copy its name, the first that is free or is another's with the same bytes."""
    number, named = 1, part.with_name(name)
    while not (named.is_file() and filecmp.cmp(part, named, shallow=False)):
        try:
            dirfd.rename(folder, os.fsencode(part.name), folder, os.fsencode(named.name))
            break
        except FileExistsError:
            number += 1
            named = part.with_name(f"{name} ({number})")
    dirfd.sync(folder)
    return named
