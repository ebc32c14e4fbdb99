"""The photos that people have labelled."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos, reviews
from daemon.photo import DUPLICATE, FILED, RETRY, UNDONE
from daemon.queries.audit import reserved
from models.images.formats import EXTENSIONS

LABELS = ("food", "non_food")


class LabelledPhoto(NamedTuple):
    """A photo's row and its newest label by a person.

    Attributes:
        path: Its place, as rows name places.
        format: The file format, see `models.images.formats.FORMATS`.
        taken_at: Local time by the camera's clock.
        asked: How many labels by people it has.
    """

    id: int
    path: bytes
    sha256: str
    format: str
    predicted_label: str
    label: str
    taken_at: str | None = None
    camera: str | None = None
    asked: int = 1

    @property
    def extension(self) -> str:
        """The extension that fits the file's bytes; its own may be anything."""
        return next((name.removeprefix(".") for name, form in EXTENSIONS.items() if form == self.format), "jpg")


def labelled_photos(engine: sa.Engine, *, only_corrected: bool) -> Iterator[list[LabelledPhoto]]:
    """The photos that people have labelled, exact copies together, the copy that was labelled last first.

    Photos that are being moved are left for the next export.

    Args:
        engine: The database.
        only_corrected: Only photos that the model labelled otherwise, or was not sure of.
    """
    newest = sa.select(sa.func.max(reviews.c.id)).group_by(reviews.c.photo_id)
    p, r = photos.c, reviews.c
    every = reviews.alias()
    asked = sa.select(sa.func.count()).where(every.c.photo_id == p.id).scalar_subquery()
    query = (
        sa.select(p.id, p.path_bytes, p.sha256, p.format, p.predicted_label, r.label, p.taken_at, p.camera, asked)
        .join_from(photos, reviews, p.id == r.photo_id)
        .where(r.id.in_(newest), p.error_kind.is_(None), p.state.in_((FILED, DUPLICATE, UNDONE, RETRY)))
        .where(r.label.in_(LABELS))
        .order_by(p.sha256, r.id.desc())
    )
    with engine.connect() as connection:
        # All rows at once: copying takes long, and SQLite's log grows while a reader is open.
        rows = [LabelledPhoto._make(row) for row in connection.execute(query)]
    for _, same_bytes in itertools.groupby(rows, key=lambda row: row.sha256):
        copies = list(same_bytes)
        if not only_corrected or copies[0].label != copies[0].predicted_label:
            yield copies


def count_labels_since(engine: sa.Engine, since: str) -> int:
    """The number of photos that people have labelled after a time, without reserved ones.

    Args:
        engine: The database.
        since: Time as in the database; empty for all.
    """
    query = (
        sa.select(sa.func.count(sa.distinct(photos.c.sha256)))
        .join_from(reviews, photos)
        .where(reviews.c.reviewed_at > since, ~reserved(), reviews.c.label.in_(LABELS))
    )
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()
