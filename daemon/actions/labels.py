"""The changes of a person's label in the database, and their reversal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa

from daemon.actions.result import BUSY
from daemon.actions.route import Statements
from daemon.database.rows import Review
from daemon.database.schema import photos, results, reviews
from daemon.database.timestamps import format_time
from daemon.queries.photo_rows import Photo
from models import Label

PersonLabel = Literal["food", "non_food"]
"""The labels that a person may give."""
Source = Literal["person", "audit", "move"]
"""How a person gave a label, see `schema.reviews`."""


class _ByPerson:
    """What the changes of people's labels have in common: nothing stands against them."""

    @property
    def guard(self) -> "sa.ColumnElement[bool]":
        """Nothing but the photo's state must hold."""
        return sa.true()

    @property
    def refusal(self) -> str:
        """The state has changed."""
        return BUSY


@dataclass(frozen=True)
class NewLabel(_ByPerson):
    """A new label by a person.

    Attributes:
        folder: The label whose folder the photo moves to; None if it stays where it is.
        source: How the person gave it.
    """

    photo: Photo
    label: PersonLabel
    folder: Label | None
    source: Source = "person"

    def write(self, connection: sa.Connection) -> Statements:
        """Writes the label; returns the statement that reverts it."""
        row = {
            "photo_id": self.photo.id,
            "label": self.label,
            "reviewed_at": format_time(datetime.now(UTC)),
            "source": self.source,
        }
        review_id = connection.execute(reviews.insert().values(row).returning(reviews.c.id)).scalar_one()
        return (reviews.delete().where(reviews.c.id == review_id),)


@dataclass(frozen=True)
class Withdrawal(_ByPerson):
    """The removal of a photo's newest label by a person.

    Attributes:
        folder: The label whose folder the photo moves to; None if it stays where it is.
    """

    review: Review
    folder: Label | None

    def write(self, connection: sa.Connection) -> Statements:
        """Removes the label; returns the statement that reverts it."""
        connection.execute(reviews.delete().where(reviews.c.id == self.review.id))
        # Reverted under a new id: SQLite may have given the old one to another label meanwhile.
        row = {
            "photo_id": self.review.photo_id,
            "label": self.review.label,
            "reviewed_at": self.review.reviewed_at,
            "source": self.review.source,
        }
        return (reviews.insert().values(row),)


def new_labels(
    engine: sa.Engine, selected: Iterable[Photo], label: PersonLabel, source: Source = "person"
) -> dict[int, NewLabel]:
    """A new label for each photo, by its id; photos that have this label already stay where they are."""
    selected = list(selected)
    ids = [photo.id for photo in selected]
    query = sa.select(results.c.id).where(results.c.id.in_(ids), results.c.label == label)
    with engine.connect() as connection:
        has_label = set(connection.execute(query).scalars())
    return {photo.id: NewLabel(photo, label, None if photo.id in has_label else label, source) for photo in selected}


def withdrawals(engine: sa.Engine, selected: Iterable[Photo]) -> dict[int, Withdrawal]:
    """The removal of each photo's newest label by a person, by the photo's id; nothing for photos that have none.

    The photo moves to the folder of the label that is valid then: the previous one by a person, else the model's.
    """
    r = reviews.c
    query = (
        sa.select(r.id, r.photo_id, r.label, r.reviewed_at, r.source, photos.c.predicted_label)
        .join_from(reviews, photos)
        .where(r.photo_id.in_([photo.id for photo in selected]))
        .order_by(r.id.desc())
    )
    newest_first: dict[int, list[Review]] = {}
    predicted: dict[int, Label] = {}
    with engine.connect() as connection:
        for *review, predicted_label in connection.execute(query):
            earlier_review = Review._make(review)
            newest_first.setdefault(earlier_review.photo_id, []).append(earlier_review)
            predicted[earlier_review.photo_id] = predicted_label
    changes: dict[int, Withdrawal] = {}
    for photo_id, (newest, *earlier) in newest_first.items():
        valid = earlier[0].label if earlier else predicted[photo_id]
        changes[photo_id] = Withdrawal(newest, None if valid == newest.label else valid)
    return changes
