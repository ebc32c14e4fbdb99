"""Migrates the database of an earlier version: first a copy, then all steps in one transaction."""

import filecmp
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from daemon.database import addresses, copies
from daemon.database.addresses import DatabaseError
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.fs.rename import rename
from models import __version__

log = structlog.get_logger()


def upgrade(engine: sa.Engine, revision: str | None) -> None:
    """Migrates a database to the newest schema.

    Args:
        engine: The database.
        revision: Its schema now; None for an empty database.

    Raises:
        DatabaseError: A newer foodsort wrote the schema, or the copy failed.
        OSError: There is no room for the copy.
        DBAPIError: The database refused a step; then nothing has changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in revisions:
        raise addresses.newer_schema_error(engine.url, revision)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            # Python's driver begins a transaction only before it writes rows, so each change of a table would commit
            # alone.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if revision is not None:
            _back_up(engine.url, revision)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _back_up(address: sa.URL, revision: str) -> None:
    path = addresses.sqlite_file(address)
    if path is None:
        log.warning("migrating the database without a copy; it is on a server", schema=revision)
    else:
        log.warning("migrating the database", schema=revision, copy=str(back_up(path)))


def back_up(path: Path) -> Path:
    """Copies an SQLite database to `<name>.before-<version of foodsort>` and syncs the copy to disk.

    Never overwrites another copy: the new one gets a number (`… (2)`). An identical copy is reused.

    Returns:
        The path of the copy.

    Raises:
        DatabaseError: SQLite cannot copy it; no partial copy is left.
        OSError: The disk is full, for instance; no partial copy is left.
    """
    part = path.with_name(f"{path.name}.before-{__version__}.part")
    copies.remove_part(part)  # a crashed start may have left one
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with closing(sqlite3.connect(path, timeout=addresses.BUSY_TIMEOUT_S)) as source:
            copies.write_copy(source, part, path.stat().st_mode & 0o777)
        return _publish(folder, part, f"{path.name}.before-{__version__}")
    except sqlite3.Error as error:
        raise DatabaseError(f"the database {path} cannot be copied before its migration: {error}") from error
    finally:
        copies.remove_part(part)
        os.close(folder)


def _publish(folder: int, part: Path, name: str) -> Path:
    """Renames a complete copy to the first name that is free or holds the same bytes."""
    number = 1
    copy = part.with_name(name)
    while not (copy.is_file() and filecmp.cmp(part, copy, shallow=False)):
        try:
            rename(Entry(folder, os.fsencode(part.name)), Entry(folder, os.fsencode(copy.name)))
            break
        except FileExistsError:
            number += 1
            copy = part.with_name(f"{name} ({number})")
    dirfd.sync(folder)
    return copy
