"""What is written when a person gives a photo a label, or takes one back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos, results, reviews
from daemon.database.timestamps import format_time
from daemon.photo import Destination
from daemon.queries.selection import Photo

PersonLabel = Literal["food", "non_food"]
"""What a person may call a photo."""


class Change(NamedTuple):
    """What is to become of a photo's label. write: writes it, and returns the statement that takes that back.

    fate: whose folder the photo is to lie in; None where it is to stay.
    """

    write: Callable[[sa.Connection], sa.Insert | sa.Delete]
    fate: Destination


def given(engine: sa.Engine, some: list[Photo], label: PersonLabel) -> dict[int, Change]:
    """A label for each, by id; those that have it already, by the model or by a person, stay where they are."""
    query = sa.select(results.c.id).where(results.c.id.in_([photo.id for photo in some]), results.c.label == label)
    with engine.connect() as connection:
        has = set(connection.execute(query).scalars())
    return {photo.id: Change(_record(photo, label), None if photo.id in has else label) for photo in some}


def withdrawn(engine: sa.Engine, some: list[Photo]) -> dict[int, Change]:
    """What holds without the newest label of a person's, by id; nothing for photos that have no such label."""
    r = reviews.c
    query = (
        sa.select(r.photo_id, r.id, r.label, r.reviewed_at, photos.c.predicted_label)
        .join_from(reviews, photos)
        .where(r.photo_id.in_([photo.id for photo in some]))
        .order_by(r.id.desc())
    )
    labels: dict[int, list[Any]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query):
            labels.setdefault(row.photo_id, []).append(row)
    changes = {}
    for photo_id, (newest, *earlier) in labels.items():
        holds = earlier[0].label if earlier else newest.predicted_label
        changes[photo_id] = Change(_remove(newest), None if holds == newest.label else holds)
    return changes


def _record(photo: Photo, label: PersonLabel) -> Callable[[sa.Connection], sa.Delete]:
    def write(connection: sa.Connection) -> sa.Delete:
        row = {"photo_id": photo.id, "label": label, "reviewed_at": format_time(datetime.now(UTC))}
        review = connection.execute(reviews.insert().values(row).returning(reviews.c.id)).scalar_one()
        return reviews.delete().where(reviews.c.id == review)

    return write


def _remove(review: Any) -> Callable[[sa.Connection], sa.Insert]:
    def write(connection: sa.Connection) -> sa.Insert:
        connection.execute(reviews.delete().where(reviews.c.id == review.id))
        # Under a new id, if it comes to that: SQLite may have given the old one to another label by then.
        return reviews.insert().values(photo_id=review.photo_id, label=review.label, reviewed_at=review.reviewed_at)

    return write
