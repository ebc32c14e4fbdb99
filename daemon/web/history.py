"""The history of a photo, in sentences."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import batches, events, models, photos, reviews
from daemon.queries.explanations import EXPLANATIONS

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
        sa.select(photos, m.name.label("model"), b.engine)
        .join_from(photos, models, p.model_id == m.id, isouter=True)
        .join(batches, p.batch_id == b.id, isouter=True)
        .where(p.id == photo_id)
    )
    photo = connection.execute(query).one_or_none()
    if photo is None:
        return []
    steps = [
        *_sorting(photo),
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


def _sorting(photo: Any) -> Iterator[Step]:
    if photo.engine == "repair":
        yield Step(
            photo.claimed_at, "`foodsort repair` found it without a row; its label is the folder that it was in."
        )
        return
    again = f", for attempt {photo.attempts}" if photo.attempts > 1 else ""
    yield Step(photo.claimed_at, f"It was taken out of the inbox{again}, where it was {photo.inbox_path}.")
    if photo.first_failed_at:
        first = "It failed for the first time" if photo.attempts > 1 or not photo.error_kind else "It failed"
        why = f" ({photo.error_kind}): {photo.error_message}".rstrip(".") if photo.error_kind else ""
        yield Step(photo.first_failed_at, f"{first}{why}.")
    if photo.classified_at:
        yield Step(
            photo.classified_at,
            f"The model {photo.model} labelled it {photo.predicted_label}, with a probability of food of"
            f" {photo.probability:.3f} (batch {photo.batch_id}, {photo.engine}"
            f"{f', {photo.look} px' if photo.look else ''}).",
        )
    at = photo.filed_at if photo.state in {"filed", "failed", "deleting", "deleted", "duplicate", "other"} else None
    if photo.state in {"undone", "undoing", "retry", "retrying"} and photo.filed_at:
        yield Step(photo.filed_at, "It was moved to its folder.")
    yield Step(at or "", EXPLANATIONS[photo.state].history.format(path=photo.path))


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
