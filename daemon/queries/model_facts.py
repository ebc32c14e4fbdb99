"""Counts and photos for the page about the models of a root."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import batches, judgements, models, photos, reclassifications
from daemon.photo import FILED
from daemon.queries import audit


class Shadow(NamedTuple):
    """The photos that a model has judged silently.

    Attributes:
        judged: Photos.
        disagreements: Those whose row has another label by a model.
    """

    judged: int
    disagreements: int


class ResortBatch(NamedTuple):
    """A batch of sorted photos that another model labelled otherwise, or with another probability.

    Attributes:
        photos: Photos of the batch that were not taken back.
    """

    id: int
    started_at: str
    photos: int


def shadow(engine: sa.Engine, model_sha256: str) -> Shadow:
    """Counts the photos that a model has judged, and those on which it disagrees with the model that sorted them.

    Audited photos do not count: `foodsort learn` asks each candidate about them.
    """
    p, j = photos.c, judgements.c
    disagrees = sa.case((p.predicted_label != j.label, 1), else_=0)
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(disagrees), 0))
        .join_from(judgements, photos, j.photo_id == p.id)
        .where(j.model_id == _model(model_sha256), p.id.not_in(audit.audited_ids()))
    )
    with engine.connect() as connection:
        return Shadow(*map(int, connection.execute(query).one()))


def judged_since(engine: sa.Engine, model_sha256: str, since: str) -> int:
    """How many photos a model has judged after a time, as in the database."""
    j = judgements.c
    query = sa.select(sa.func.count()).where(j.model_id == _model(model_sha256), j.judged_at > since)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def ids_by_digest(engine: sa.Engine, sha256s: Sequence[str]) -> dict[str, int]:
    """The newest row of each photo that is in its folder, by the photo's SHA-256."""
    p = photos.c
    query = (
        sa.select(p.sha256, sa.func.max(p.id).label("id"))
        .where(p.sha256.in_(sha256s), p.state == FILED)
        .group_by(p.sha256)
    )
    with engine.connect() as connection:
        return {row.sha256: row.id for row in connection.execute(query)}


def newest_resort(engine: sa.Engine) -> ResortBatch | None:
    """The newest batch of re-sorted photos that can be taken back; None without one."""
    b, c = batches.c, reclassifications.c
    query = (
        sa.select(b.id, b.started_at, sa.func.count())
        .join_from(batches, reclassifications, c.batch_id == b.id)
        .join(photos, sa.and_(photos.c.id == c.photo_id, photos.c.batch_id == b.id))
        .group_by(b.id, b.started_at)
        .order_by(b.id.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else ResortBatch._make(row)


def _model(sha256: str) -> "sa.ScalarSelect[int]":
    return sa.select(models.c.id).where(models.c.sha256 == sha256).scalar_subquery()
