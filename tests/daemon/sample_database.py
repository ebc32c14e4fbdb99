"""A database with rows of photos, without files."""

from typing import Any

import sqlalchemy as sa

from daemon.database import connections, schema
from daemon.photo import FILED

DAY = "2026-11-%02dT12:00:00.000000Z"


def make_database(address: sa.URL) -> sa.Engine:
    """A new database with a model and two batches."""
    engine = connections.connect(address)
    with engine.begin() as connection:
        model = {"id": 1, "sha256": "s", "name": "m", "card": "{}", "first_used_at": DAY % 1}
        connection.execute(schema.models.insert().values(model))
        for number in (1, 2):
            batch = {"id": number, "started_at": DAY % 1, "photos": 1, "engine": "e", "inference_ms": 1.0}
            connection.execute(schema.batches.insert().values(batch))
    return engine


def add(engine: sa.Engine, name: str, day: int = 1, corrected: tuple[str, ...] = (), **values: Any) -> int:
    """Adds a photo, by default filed as food, and its batch if it is missing; returns the photo's id."""
    place = {"name": name, "path": name, "path_bytes": name.encode(), "inbox_path": name, "inbox_path_bytes": b"a"}
    facts = {"generation": "g", "identity": f"1:{name}", "sha256": name, "size_bytes": 1, "modified_at": DAY % 1}
    keys = {"batch_id": 1, "model_id": 1, "claimed_at": DAY % day, "classified_at": DAY % day, "filed_at": DAY % day}
    row = {"predicted_label": "food", "probability": 0.9, "state": FILED} | place | facts | keys | values
    with engine.begin() as connection:
        batch = sa.select(schema.batches.c.id).where(schema.batches.c.id == row["batch_id"])
        if connection.execute(batch).scalar() is None:
            made = {"id": row["batch_id"], "started_at": DAY % 1, "photos": 1, "engine": "e", "inference_ms": 1.0}
            connection.execute(schema.batches.insert().values(made))
        photo_id: int = connection.execute(
            schema.photos.insert().values(row).returning(schema.photos.c.id)
        ).scalar_one()
        for label in corrected:
            review = {"photo_id": photo_id, "label": label, "reviewed_at": DAY % day}
            connection.execute(schema.reviews.insert().values(review))
    return photo_id
