"""Rows and events of a root's database, and changes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from daemon.database import addresses
from daemon.settings import load


def rows(root: Path) -> list[dict[str, Any]]:
    return select(root, "SELECT * FROM results ORDER BY id")


def select(root: Path, question: str) -> list[dict[str, Any]]:
    with connect(root) as connection:
        return [dict(row) for row in connection.execute(sa.text(question)).mappings()]


@contextmanager
def connect(root: Path) -> Iterator[sa.Connection]:
    """A connection to a root's database of any kind; commits at the end."""
    engine = sa.create_engine(addresses.database_url(root, load(root).database.url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def states(root: Path) -> dict[str, str]:
    return {row["path"]: row["state"] for row in rows(root)}


def execute(root: Path, change: str) -> None:
    with connect(root) as connection:
        connection.execute(sa.text(change))


def row(root: Path, name: str) -> dict[str, Any]:
    return next(row for row in rows(root) if row["name"] == name)


def labels(root: Path) -> list[str]:
    return [review["label"] for review in select(root, "SELECT label FROM reviews ORDER BY id")]


def event_messages(root: Path, kind: str) -> list[str]:
    return [row["message"] for row in select(root, f"SELECT message FROM events WHERE kind = '{kind}'")]
