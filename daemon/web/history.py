"""The history of a photo, in sentences."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import RECLASSIFY, batches, events, models, photos, reclassifications, reviews
from daemon.queries.explanations import EXPLANATIONS
from daemon.queries.reclassification import PREDICTION

_EVENTS = 10_000
"""How many of the newest events are searched: there is no index on their paths."""


class Step(NamedTuple):
    """One step of a photo's history.

    Attributes:
        at: Time as in the database; empty if the database has none.
        sentence: Plain text, not HTML.
    """

    at: str
    sentence: str


def history(connection: sa.Connection, photo_id: int) -> list[Step]:
    """The steps, oldest first; none if there is no such photo."""
    p, m, b = photos.c, models.c, batches.c
    query = (
        sa.select(photos, m.name.label("model"), b.engine, b.kind)
        .join_from(photos, models, p.model_id == m.id, isouter=True)
        .join(batches, p.batch_id == b.id, isouter=True)
        .where(p.id == photo_id)
    )
    photo = connection.execute(query).one_or_none()
    if photo is None:
        return []
    predictions = [*_earlier_predictions(connection, photo_id), photo]
    steps = [
        *_sorting(photo, by_repair=predictions[0].engine == "repair"),
        *(step for prediction in predictions for step in _classification(prediction)),
        *_duplicate(connection, photo),
        *_labels(connection, photo),
        *_events(connection, photo),
    ]
    timed = sorted((step for step in steps if step.at), key=lambda step: step.at)
    return [*_capture(photo), *timed, *(step for step in steps if not step.at)]


def _capture(photo: Any) -> Iterator[Step]:
    """The first step: it is not sorted by time, because a camera's clock has no time zone."""
    if photo.taken_at or photo.camera:
        by = f" with a {photo.camera}" if photo.camera else ""
        yield Step((photo.taken_at or "") + (photo.taken_offset or ""), f"It was taken{by}.")


def _sorting(photo: Any, *, by_repair: bool) -> Iterator[Step]:
    if by_repair:
        yield Step(
            photo.claimed_at, "`foodsort repair` found it without a row; its label is the folder that it was in."
        )
        if photo.engine != "repair":
            yield _place(photo)
        return
    again = f", for attempt {photo.attempts}" if photo.attempts > 1 else ""
    yield Step(photo.claimed_at, f"It was taken out of the inbox{again}, where it was {photo.inbox_path}.")
    if photo.first_failed_at:
        first = "It failed for the first time" if photo.attempts > 1 or not photo.error_kind else "It failed"
        why = f" ({photo.error_kind}): {photo.error_message}".rstrip(".") if photo.error_kind else ""
        yield Step(photo.first_failed_at, f"{first}{why}.")
    if photo.state in {"undone", "undoing", "retry", "retrying"} and photo.filed_at:
        yield Step(photo.filed_at, "It was moved to its folder.")
    yield _place(photo)


def _place(photo: Any) -> Step:
    at = photo.filed_at if photo.state in {"filed", "failed", "deleting", "deleted", "duplicate", "other"} else None
    return Step(at or "", EXPLANATIONS[photo.state].history.format(path=photo.path))


def _earlier_predictions(connection: sa.Connection, photo_id: int) -> list[Any]:
    """What models said of a photo before `foodsort reclassify`, the first one first, in columns as the photo's."""
    r, m, b = reclassifications.c, models.c, batches.c
    columns = (r.previous_batch_id.label("batch_id"), m.name.label("model"), b.engine, b.kind)
    query = (
        sa.select(*columns, *(r[name] for name in PREDICTION))
        .join_from(reclassifications, models, r.previous_model_id == m.id)
        .join(batches, r.previous_batch_id == b.id)
        .where(r.photo_id == photo_id)
        .order_by(r.id)
    )
    return list(connection.execute(query))


def _classification(prediction: Any) -> Iterator[Step]:
    """The step of a prediction, from the columns of a photo or of a reclassification."""
    if not prediction.classified_at:
        return
    if prediction.kind == RECLASSIFY:
        sentence = f"It was reclassified as {prediction.predicted_label} by the model {prediction.model}"
    else:
        sentence = f"The model {prediction.model} labelled it {prediction.predicted_label}"
    yield Step(
        prediction.classified_at,
        f"{sentence}, with a probability of food of {prediction.probability:.3f} (batch {prediction.batch_id},"
        f" {prediction.engine}{f', {prediction.look} px' if prediction.look else ''}).",
    )


def _duplicate(connection: sa.Connection, photo: Any) -> Iterator[Step]:
    if photo.duplicate_of is None:
        return
    path = connection.execute(sa.select(photos.c.path).where(photos.c.id == photo.duplicate_of)).scalar()
    of = f"photo {photo.duplicate_of}" + (f", {path}" if path else "")
    yield Step(photo.classified_at or "", f"It is an exact copy of {of}.")


def _labels(connection: sa.Connection, photo: Any) -> Iterator[Step]:
    """People's labels. An exact copy of a labelled photo has a label of its own, of the same time."""
    r = reviews.c
    other, first = photos.alias(), reviews.alias()
    copied = (
        sa.exists()
        .where(first.c.photo_id == other.c.id, other.c.sha256 == photo.sha256)
        .where(first.c.reviewed_at == r.reviewed_at, first.c.label == r.label, first.c.id < r.id)
    )
    query = sa.select(r.reviewed_at, r.label, copied).where(r.photo_id == photo.id).order_by(r.id)
    for at, label, of_copy in connection.execute(query):
        yield Step(at, f"A person labelled {'an exact copy of it' if of_copy else 'it'} {label}.")


def _events(connection: sa.Connection, photo: Any) -> Iterator[Step]:
    e = events.c
    newest = sa.select(sa.func.max(e.id)).scalar_subquery()
    query = sa.select(e.at, e.message).where(e.id > newest - _EVENTS, e.path == photo.inbox_path).order_by(e.id)
    for at, message in connection.execute(query):
        yield Step(at, f"Event for a file of this name in the inbox: {message.rstrip('.')}.")
