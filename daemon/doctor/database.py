"""Checks of the database: it opens and has our schema; an SQLite file is also undamaged and not locked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from daemon.database import addresses, connections, integrity, root_id
from daemon.database.schema import REVISION, events
from daemon.doctor.finding import CheckedRoot, Finding
from models.errors import FoodsortError

_LOCK_TIMEOUT_S = 0.5
_LOSSES = ("database_lost", "database_new", "database_replaced")
_REPAIRED = "repaired"
"""Kinds of events; the first ones are those after which rows may be missing."""


def check(root: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    """Checks the database without changing it. quick: do not read all of it."""
    try:
        address = addresses.database_url(root.path, root.settings.database.url)
        path = addresses.sqlite_file(address)
        if path is not None and not path.exists():
            yield _missing(root, path)
            return
        if path is not None and not quick and (damage := integrity.find_damage(path)):
            yield Finding(
                "database",
                "problem",
                f"{path} is damaged ({damage}); restore a backup, or let `foodsort repair` save the rows that can still"
                " be read",
            )
            return
        yield from _open(root, address, quick=quick)
        if path is not None:
            yield from _lock(path)
    except FoodsortError as error:
        yield Finding("database", "problem", str(error))


def _missing(root: CheckedRoot, path: Path) -> Finding:
    if root_id.read(root.path) is None:
        return Finding("database", "ok", f"{path} does not exist yet; `foodsort run` creates it")
    return Finding(
        "database",
        "problem",
        f"{path} is gone: it was removed or renamed. A running daemon writes it back within seconds. Otherwise restore a"
        " backup, or start `foodsort run`, which creates an empty one, and let `foodsort repair` add rows for the photos",
    )


def _open(root: CheckedRoot, address: sa.URL, *, quick: bool) -> Iterator[Finding]:
    engine = connections.connect_to_read(address)
    try:
        with connections.database_errors():
            root_id.check(root.path, engine)
            loss = _newest_loss(engine)
    finally:
        engine.dispose()
    is_file = addresses.sqlite_file(address) is not None  # a server's files cannot be checked
    undamaged = ", undamaged" if is_file and not quick else ""
    yield Finding("database", "ok", f"{addresses.display(address)} opens, schema {REVISION}{undamaged}")
    if loss is not None:
        yield Finding("database", "warning", loss)


def _newest_loss(engine: sa.Engine) -> str | None:
    """The newest event after which rows may be missing, with its time; None if the database was repaired since."""
    e = events.c
    newest = sa.select(e.kind, e.at, e.message).where(e.kind.in_((*_LOSSES, _REPAIRED))).order_by(e.id.desc()).limit(1)
    with engine.connect() as connection:
        event = connection.execute(newest).first()
    return f"{event.at}: {event.message}" if event is not None and event.kind in _LOSSES else None


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
