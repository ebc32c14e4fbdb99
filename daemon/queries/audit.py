"""The audit sample: photos that the model never learns from, and what people said of them without the model's label.

The rule is fixed by bytes. Photos whose SHA-256 begins with 0, 1 or 2 (3 of 16) are reserved: nobody chooses them for
their uncertainty or their label, and no model is trained on them. They are asked in ascending order of their SHA-256,
also if they have a label already, so the answered ones are a random sample of all photos, and the share that the live
model labels right is its accuracy on them.
"""

from collections.abc import Collection
from math import ceil
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import judgements, models, photos, reviews
from daemon.photo import FILED
from models import Label
from models.intervals import wilson_interval

FIRST_FREE = "3"
"""The lowest SHA-256 that is not reserved: 3/16 of all photos lie below."""
HALF_WIDTH = 0.03
"""The half-width of the interval that is wanted (share)."""
FEWEST = 125
"""Fewest answers for that half-width: a normal interval is 3 % to either side at a share of 97 % right."""
_Z = 1.96
"""The 97.5 % quantile of the normal distribution, for intervals of 95 %."""


class AuditQuestion(NamedTuple):
    """A reserved photo that nobody has been asked about."""

    id: int
    sha256: str


class AuditedPhoto(NamedTuple):
    """A reserved photo that a person labelled without the model's label in view.

    Attributes:
        id: Its row; of exact copies the one that was labelled last.
        label: The newest label by a person, which may be a later correction.
        live_label: The live model's label; None if that model has not seen the photo.
    """

    id: int
    sha256: str
    label: str
    live_label: Label | None

    @property
    def is_right(self) -> bool | None:
        """Whether the live model is right; None if it has not seen the photo."""
        return None if self.live_label is None else self.live_label == self.label


class Accuracy(NamedTuple):
    """How many audited photos the live model labels right.

    Attributes:
        right: Right labels.
        of: Audited photos that the model has seen.
        answers: All audited photos.
    """

    right: int
    of: int
    answers: int

    @property
    def share(self) -> float | None:
        """In [0, 1]; None without a photo."""
        return self.right / self.of if self.of else None

    @property
    def ci95(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval; None without a photo."""
        return wilson_interval(self.right, self.of) if self.of else None

    @property
    def missing(self) -> int:
        """How many more photos make the 95 % interval ± HALF_WIDTH wide, at the observed share."""
        share = self.share
        needed = FEWEST if share is None else max(FEWEST, ceil(_Z**2 * share * (1 - share) / HALF_WIDTH**2))
        return max(0, needed - self.of)


def is_reserved(sha256: str) -> bool:
    """Whether the photo with these bytes is kept out of training and out of every choice by a model."""
    return sha256 < FIRST_FREE


def reserved() -> "sa.ColumnElement[bool]":
    """The condition that a row of `photos` is reserved."""
    return photos.c.sha256 < FIRST_FREE


def audited_ids() -> "sa.Select[tuple[int]]":
    """The ids of the rows with an answer."""
    answered = sa.select(reviews.c.photo_id).where(reviews.c.source == "audit")
    return sa.select(photos.c.id).where(photos.c.id.in_(answered), reserved())


def questions(engine: sa.Engine, limit: int, skipped: Collection[int] = ()) -> list[AuditQuestion]:
    """The next photos to ask about, at most `limit`, in ascending order of their SHA-256; of exact copies one.

    Args:
        engine: The database.
        limit: Most photos.
        skipped: Ids of photos that are not asked about now.
    """
    p = photos.c
    copy, first = photos.alias(), photos.alias()
    answered = sa.exists().where(
        copy.c.sha256 == p.sha256, copy.c.id == reviews.c.photo_id, reviews.c.source == "audit"
    )
    is_copy = sa.exists().where(
        first.c.sha256 == p.sha256, first.c.id < p.id, _is_askable(first.c), first.c.id.not_in(skipped)
    )
    query = (
        sa.select(p.id, p.sha256)
        .where(reserved(), _is_askable(p), p.id.not_in(skipped), ~answered, ~is_copy)
        .order_by(p.sha256, p.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        return [AuditQuestion._make(row) for row in connection.execute(query)]


def _is_askable(p: Any) -> "sa.ColumnElement[bool]":
    # An expression: SQLite would else search all filed photos by their state, of which there may be a million, and sort.
    return sa.and_(sa.func.coalesce(p.state, "") == FILED, p.predicted_label.is_not(None))


def audited(engine: sa.Engine, live_sha256: str) -> list[AuditedPhoto]:
    """The photos with an answer, in the order of the answers; of exact copies one.

    Args:
        engine: The database.
        live_sha256: SHA-256 of the live model, as in `models`.
    """
    p, m, j, r = photos.c, models.c, judgements.c, reviews.c
    newest = sa.select(sa.func.max(r.id)).where(r.photo_id.in_(audited_ids())).group_by(r.photo_id)
    live = sa.select(m.id).where(m.sha256 == live_sha256).scalar_subquery()
    query = (
        sa.select(p.id, p.sha256, r.label.label("answer"), p.model_id, live.label("live"), m.threshold)
        .add_columns(
            p.predicted_label, p.probability, j.label.label("judged"), j.probability.label("judged_probability")
        )
        .join_from(photos, reviews, r.photo_id == p.id)
        .join(judgements, sa.and_(j.photo_id == p.id, j.model_id == live), isouter=True)
        .join(models, m.id == live, isouter=True)
        .where(r.id.in_(newest))
        .order_by(r.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    by_bytes = {row.sha256: AuditedPhoto(row.id, row.sha256, row.answer, _live_label(row)) for row in rows}
    return list(by_bytes.values())


def accuracy(audited_photos: Collection[AuditedPhoto]) -> Accuracy:
    """Counts the photos that the live model labels right among those that it has seen."""
    seen = [photo for photo in audited_photos if photo.is_right is not None]
    return Accuracy(sum(bool(photo.is_right) for photo in seen), len(seen), len(audited_photos))


def _live_label(row: "sa.Row[tuple[object, ...]]") -> Label | None:
    """The label of the live model; an unsure photo counts by the threshold, since a person knows only two labels."""
    if row.judged is not None:
        label, probability = row.judged, row.judged_probability
    elif row.live is not None and row.model_id == row.live:
        label, probability = row.predicted_label, row.probability
    else:
        return None
    if label != "unsure":
        return label  # type: ignore[no-any-return]
    return "food" if probability >= (0.5 if row.threshold is None else row.threshold) else "non_food"
