"""Photos whose labels teach a model: uncertain ones, those on which two models disagree, and labels in doubt.

None of them is reserved for the audit.
"""

from collections.abc import Collection, Hashable
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import judgements, models, photos, reviews
from daemon.photo import FILED
from daemon.queries import audit

NEWEST = 10_000
"""How many of the newest photos, or judgements, are searched: what came long ago teaches less, and would take longer."""


class UncertainPhoto(NamedTuple):
    """A photo without a label by a person.

    Attributes:
        probability: P(food), in [0, 1].
        taken_at: Time by the camera, ISO 8601 in seconds; None if unknown.
    """

    id: int
    sha256: str
    probability: float
    taken_at: str | None
    camera: str | None
    classified_at: str | None

    @property
    def burst(self) -> Hashable:
        """Equal for the photos of one camera in one minute; without a camera's time, for those sorted in one minute."""
        if self.taken_at:
            return self.camera, self.taken_at[:16]
        return None, (self.classified_at or "")[:16]


class Disagreement(NamedTuple):
    """A photo that the candidate labels otherwise than its row."""

    id: int
    sha256: str


class DoubtfulLabel(NamedTuple):
    """A person's label that contradicts the labels of similar photos.

    Attributes:
        label: The label.
        review_id: Its id.
    """

    id: int
    sha256: str
    label: str
    review_id: int


def uncertain(engine: sa.Engine, limit: int) -> list[UncertainPhoto]:
    """The most uncertain ones among the newest photos without a label by a person, the most uncertain first."""
    p = photos.c
    columns = (p.id, p.sha256, p.probability, p.taken_at, p.camera, p.classified_at)
    newest = sa.select(*columns).where(p.state == FILED, p.probability.is_not(None))
    n = newest.order_by(p.id.desc()).limit(NEWEST).subquery()
    query = (
        sa.select(n)
        .where(n.c.sha256 >= audit.FIRST_FREE, ~sa.exists().where(reviews.c.photo_id == n.c.id))
        .order_by(sa.func.abs(n.c.probability - 0.5), n.c.id.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return [UncertainPhoto._make(row) for row in connection.execute(query)]


def disagreements(engine: sa.Engine, candidate_sha256: str, limit: int) -> list[Disagreement]:
    """The photos whose newest judgement by the candidate contradicts the row's label, the newest first.

    Args:
        engine: The database.
        candidate_sha256: SHA-256 of the candidate, as in `models`.
        limit: Most photos.
    """
    p, j = photos.c, judgements.c
    candidate = sa.select(models.c.id).where(models.c.sha256 == candidate_sha256).scalar_subquery()
    newest = sa.select(j.id, j.photo_id, j.label).where(j.model_id == candidate).order_by(j.id.desc()).limit(NEWEST)
    n = newest.subquery()
    query = (
        sa.select(p.id, p.sha256)
        .join_from(n, photos, p.id == n.c.photo_id)
        .where(p.state == FILED, p.predicted_label != n.c.label, p.sha256 >= audit.FIRST_FREE)
        .where(~sa.exists().where(reviews.c.photo_id == p.id))
        .order_by(n.c.id.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return [Disagreement._make(row) for row in connection.execute(query)]


def doubtful(engine: sa.Engine, sha256s: Collection[str]) -> list[DoubtfulLabel]:
    """The labels of photos with these digests that people have given once only, of exact copies one.

    A label that was given a second time is no longer in doubt, whether it is the same or the other one.
    """
    p, r = photos.c, reviews.c
    query = (
        sa.select(p.id, p.sha256, sa.func.max(r.label), sa.func.max(r.id))
        .join_from(photos, reviews, r.photo_id == p.id)
        .where(p.sha256.in_(sha256s), p.sha256 >= audit.FIRST_FREE, p.state == FILED)
        .group_by(p.id, p.sha256)
        .having(sa.func.count() == 1)
        .order_by(p.id)
    )
    again = sa.select(p.sha256).join_from(photos, reviews, r.photo_id == p.id).where(p.sha256.in_(sha256s))
    again = again.group_by(p.id, p.sha256).having(sa.func.count() > 1)
    with engine.connect() as connection:
        settled = set(connection.execute(again).scalars())
        labels = [DoubtfulLabel._make(row) for row in connection.execute(query)]
    return list({label.sha256: label for label in reversed(labels) if label.sha256 not in settled}.values())
