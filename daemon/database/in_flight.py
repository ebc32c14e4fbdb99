"""Rows of photos that are on their way while another file takes the place of the database."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog

from daemon.database import original_rows
from daemon.database.original_rows import NewOriginal
from daemon.database.schema import batches, photos, reviews
from daemon.photo import FILING

log = structlog.get_logger()

Row = dict[str, Any]
"""A row of a table by its columns."""


@dataclass(frozen=True)
class InFlight:
    """The rows of photos in flight, with their batches, labels by people and originals."""

    photos: list[Row] = field(default_factory=list)
    batches: list[Row] = field(default_factory=list)
    reviews: list[Row] = field(default_factory=list)
    originals: list[Row] = field(default_factory=list)


def read(connection: sqlite3.Connection) -> InFlight:
    """Reads the rows in flight. Raises sqlite3.Error."""
    photos = _select(connection, "SELECT * FROM photos WHERE state = ?", FILING)
    ids = [row["id"] for row in photos]
    marks = ", ".join("?" * len(ids))
    return InFlight(
        photos,
        _select(
            connection, f"SELECT * FROM batches WHERE id IN (SELECT batch_id FROM photos WHERE id IN ({marks}))", *ids
        ),
        _select(connection, f"SELECT * FROM reviews WHERE photo_id IN ({marks})", *ids),
        _select(connection, f"SELECT * FROM originals WHERE photo_id IN ({marks})", *ids),
    )


def carry_over(connection: sa.Connection, rows: InFlight, model_id: int) -> None:
    """Writes rows in flight to the database that took the place of theirs; their ids stay. May be called again.

    A row whose id another photo has is left out: `foodsort repair` adds a row for a photo without one.

    Args:
        connection: The database.
        rows: The rows.
        model_id: Id of the model in use there.
    """
    batch_ids = {row["id"]: _carry_batch(connection, row) for row in rows.batches}
    for row in rows.photos:
        columns = row | {"model_id": model_id, "batch_id": batch_ids[row["batch_id"]]}
        sha256 = connection.execute(sa.select(photos.c.sha256).where(photos.c.id == row["id"])).scalar()
        if sha256 is None:
            connection.execute(photos.insert().values(columns))
            labels = [_without_id(review) for review in rows.reviews if review["photo_id"] == row["id"]]
            if labels:
                connection.execute(reviews.insert(), labels)
        elif sha256 == row["sha256"]:
            connection.execute(photos.update().where(photos.c.id == row["id"]).values(_without_id(columns)))
        else:
            log.warning("another photo has the id of a photo in flight", kind="database", photo=row["inbox_path"])
            continue
        for copied in (copied for copied in rows.originals if copied["photo_id"] == row["id"]):
            original = NewOriginal(copied["inbox_path_bytes"], copied["sha256"], copied["stamp"])
            original_rows.write(connection, {row["id"]: original})


def _carry_batch(connection: sa.Connection, row: Row) -> int:
    """Returns the id of a batch in the other database; adds it if it is missing."""
    b = batches.c
    same = sa.select(b.id).where(b.started_at == row["started_at"], b.engine == row["engine"])
    batch_id = connection.execute(same).scalar()
    if batch_id is None:
        insert = batches.insert().values(_without_id(row)).returning(b.id)
        batch_id = connection.execute(insert).scalar_one()
    return int(batch_id)


def _select(connection: sqlite3.Connection, query: str, *parameters: object) -> list[Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return [dict(row) for row in cursor.execute(query, parameters)]


def _without_id(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name != "id"}
