"""The database: opens, of our schema; a file also undamaged and not locked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from daemon.database import addresses, connections, integrity
from daemon.database.schema import REVISION
from daemon.doctor import CheckedRoot, Finding
from models.errors import FoodsortError


def check(place: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    """Findings on the database; nothing of it is changed."""
    try:
        address = addresses.database_url(place.root, place.settings.database.url)
        path = addresses.sqlite_file(address)
        if path is not None and not path.exists():
            yield Finding("database", "ok", f"{path} is not there yet; `foodsort run` makes it")
            return
        if path is not None and not quick and (wrong := integrity.find_damage(path)):
            message = (
                f"{path} is damaged ({wrong}); restore a backup, or let `foodsort run` move it aside and begin anew"
            )
            yield Finding("database", "problem", message)
            return
        connections.connect_to_read(address).dispose()
        undamaged = ", undamaged" if path is not None and not quick else ""  # of a server's files nothing is known
        yield Finding("database", "ok", f"{address!r} opens, of schema {REVISION}{undamaged}")
        if path is not None:
            yield from _lock(str(path))
    except FoodsortError as error:
        yield Finding("database", "problem", str(error))


def _lock(path: str) -> Iterator[Finding]:
    try:
        with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        message = f"{path} cannot be written now: {error}; end what holds it, and see to its rights and its disk"
        yield Finding("database", "warning", message)
