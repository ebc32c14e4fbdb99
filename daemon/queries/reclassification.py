"""What the judgements of a model change in the rows of sorted photos, and what a batch of such changes has changed."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import judgements, photos, reclassifications, reviews
from daemon.queries.judgements import Choice
from daemon.queries.photo_rows import COLUMNS, Photo
from models import Label

PREDICTION: Final = ("predicted_label", "probability", "logit", "look", "classified_at")
"""The columns of a prediction, in `photos` and `reclassifications`."""
_ROW: Final = ("batch_id", "model_id", *PREDICTION)


# By values, not by model alone: another look or another setting for unsure photos changes them too.
_DIFFERS: Final = sa.or_(
    photos.c.model_id != judgements.c.model_id,
    photos.c.predicted_label.is_distinct_from(judgements.c.label),
    photos.c.logit.is_distinct_from(judgements.c.logit),
)


class LabelDifference(NamedTuple):
    """A photo whose label a model would change.

    Attributes:
        name: Name of its file.
        old_label: The label by which it is sorted; None if it has none.
        new_label: The model's.
        probability: P(food) by the model.
        path: Its place, escaped.
    """

    photo_id: int
    name: str
    old_label: Label | None
    new_label: Label
    probability: float
    path: str


class Reclassifiable(NamedTuple):
    """A photo whose row does not have what the model said of it yet.

    Attributes:
        previous: The columns of its prediction, with its model and batch.
        judgement: The same columns of the judgement, except the batch and the time.
    """

    photo: Photo
    previous: dict[str, Any]
    judgement: dict[str, Any]

    @property
    def changes_label(self) -> bool:
        """Whether the model has another label for it."""
        return bool(self.judgement["predicted_label"] != self.previous["predicted_label"])


class Reclassified(NamedTuple):
    """A photo that a batch has reclassified.

    Attributes:
        previous: The columns of the prediction that it had before, with its model and batch.
        current: The columns of the prediction that it has now, with its model and batch.
        is_labelled: Whether a person has labelled it.
    """

    photo: Photo
    previous: dict[str, Any]
    current: dict[str, Any]
    is_labelled: bool


def diff(engine: sa.Engine, model_id: int, limit: int | None = None) -> list[LabelDifference]:
    """Returns photos whose label a model would change, by what it has judged and was not applied.

    Args:
        engine: The database.
        model_id: The row of the model.
        limit: Most photos; None for all.
    """
    return differences(engine, Choice(model_id, everything=True), limit)


def differences(engine: sa.Engine, choice: Choice, limit: int | None = None) -> list[LabelDifference]:
    """Returns the chosen photos whose label the model would change; those whose label it is surest of come first."""
    p, j = photos.c, judgements.c
    query = (
        sa.select(p.id, p.name, p.predicted_label, j.label, j.probability, p.path)
        .join_from(photos, judgements, choice.judgement)
        .where(choice.condition, p.predicted_label.is_distinct_from(j.label))
        .order_by(sa.func.abs(j.probability - 0.5).desc(), p.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        return [LabelDifference._make(row) for row in connection.execute(query)]


def count_reclassifiable(engine: sa.Engine, choice: Choice) -> int:
    """Returns the number of chosen photos whose rows do not have what the model said of them."""
    query = sa.select(sa.func.count()).select_from(photos).join(judgements, choice.judgement)
    with engine.connect() as connection:
        return int(connection.execute(query.where(choice.condition, _DIFFERS)).scalar_one())


def reclassifiable(engine: sa.Engine, choice: Choice, after: int, limit: int) -> list[Reclassifiable]:
    """Returns a page of the chosen photos whose rows do not have what the model said of them.

    Args:
        engine: The database.
        choice: The photos.
        after: Only ids above this one; the page is in their order.
        limit: Most photos.
    """
    p, j = photos.c, judgements.c
    previous = [p.batch_id, p.model_id, *(p[name] for name in PREDICTION)]
    judged = [j.model_id, j.label.label("predicted_label"), j.probability, j.logit, j.look]
    query = (
        sa.select(*COLUMNS, *previous, *judged)
        .join_from(photos, judgements, choice.judgement)
        .where(choice.condition, _DIFFERS, p.id > after)
        .order_by(p.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    first, second = len(COLUMNS), len(COLUMNS) + len(previous)
    return [
        Reclassifiable(
            Photo._make(row[:first]),
            dict(zip(_ROW, row[first:second], strict=True)),
            dict(zip(("model_id", *PREDICTION[:-1]), row[second:], strict=True)),
        )
        for row in rows
    ]


def reclassified(engine: sa.Engine, batch_id: int) -> list[Reclassified]:
    """Returns the photos that a batch has reclassified and that were not taken back, by their ids."""
    p, r = photos.c, reclassifications.c
    previous = [r.previous_batch_id, r.previous_model_id, *(r[name] for name in PREDICTION)]
    current = [p.batch_id, p.model_id, *(p[name] for name in PREDICTION)]
    is_labelled = sa.exists().where(reviews.c.photo_id == p.id)
    query = (
        sa.select(*COLUMNS, *previous, *current, is_labelled)
        .join_from(reclassifications, photos, r.photo_id == p.id)
        .where(r.batch_id == batch_id)
        .order_by(p.id)
    )
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    first, second = len(COLUMNS), len(COLUMNS) + len(previous)
    return [
        Reclassified(
            Photo._make(row[:first]),
            dict(zip(_ROW, row[first:second], strict=True)),
            dict(zip(_ROW, row[second:-1], strict=True)),
            bool(row[-1]),
        )
        for row in rows
    ]
