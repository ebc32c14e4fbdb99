"""Checks of the database: it opens and has our schema; an SQLite file is also undamaged and not locked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from daemon.database import addresses, connections, integrity
from daemon.database.schema import REVISION
from daemon.doctor.finding import CheckedRoot, Finding
from models.errors import FoodsortError

_LOCK_TIMEOUT_S = 0.5


def check(root: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    """Checks the database without changing it. quick: do not read all of it."""
    try:
        address = addresses.database_url(root.path, root.settings.database.url)
        path = addresses.sqlite_file(address)
        if path is not None and not path.exists():
            yield Finding("database", "ok", f"{path} does not exist yet; `foodsort run` creates it")
            return
        if path is not None and not quick and (damage := integrity.find_damage(path)):
            yield Finding(
                "database",
                "problem",
                f"{path} is damaged ({damage}); restore a backup, or let `foodsort repair` save the rows that can still"
                " be read",
            )
            return
        connections.connect_to_read(address).dispose()
        undamaged = ", undamaged" if path is not None and not quick else ""  # a server's files cannot be checked
        yield Finding("database", "ok", f"{addresses.display(address)} opens, schema {REVISION}{undamaged}")
        if path is not None:
            yield from _lock(path)
    except FoodsortError as error:
        yield Finding("database", "problem", str(error))


def _lock(path: Path) -> Iterator[Finding]:
    try:
        with closing(sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        message = (
            f"{path} cannot be written: {error}; end the process that locks it, check its permissions and its disk"
        )
        yield Finding("database", "warning", message)
