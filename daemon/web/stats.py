"""Counts for the overview: photos by time, the newest predictions, and people's labels."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, get_args

import sqlalchemy as sa

from daemon.database.schema import models, photos, results, reviews
from daemon.photo import DELETED, DELETING, FAILED, FILED, OTHER, State
from daemon.web.agreement import LabelPairs
from daemon.web.gallery import SORTED

NEWEST = 10_000
"""Most photos whose predictions are read."""
_NEWEST_FILED = 1000
"""Most photos whose times are read."""
ALL_TIME = ("0000", "9999")
"""Times before and after all others, as text in the database."""

_ELSEWHERE = set(get_args(State)) - {*SORTED, FAILED, OTHER, DELETING, DELETED}
"""States of photos that may have a label and are not in their folders, such as undone ones; there are few."""
_LABELS = ("food", "non_food", "unsure")
_SIZE_QUERIES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


class Counts(NamedTuple):
    """Photos in their folders by label, a person's before the model's, and failed ones that still exist."""

    food: int = 0
    non_food: int = 0
    unsure: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


class NewestPhotos(NamedTuple):
    """The newest photos with a prediction of the newest photo's model.

    Attributes:
        model: Name of that model; empty if there is no photo.
        card: Its card, as JSON; None if there is no photo.
        p_food: Calibrated P(food) in [0, 1], newest first.
        sizes_bytes: Sizes of the files, newest first.
        durations_s: Times from inbox to folder (s) of the newest photos that no person has moved since, newest first.
    """

    model: str = ""
    card: str | None = None
    p_food: Sequence[float] = ()
    sizes_bytes: Sequence[int] = ()
    durations_s: Sequence[float] = ()


class _Exception(NamedTuple):
    """A photo that does not count under the model's label: its span's number, that label, its actual label or None."""

    span: int
    predicted: str
    actual: str | None


class Statistics:
    """Reads counts through an engine from `connections.connect_to_read`, which opens the database again for each use."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def between(self, edges: Sequence[str]) -> list[Counts]:
        """Counts of n spans, from each of n + 1 times, as text in the database, to the next."""
        spans = list(pairwise(edges))
        with self._engine.connect() as connection:
            counts = [Counts(*row[1:]) for row in connection.execute(_by_prediction(spans))]
            for number, predicted, actual in self._exceptions(connection, spans):
                corrected = counts[number]._asdict()
                corrected[predicted] -= 1
                if actual:
                    corrected[actual] += 1
                counts[number] = Counts(**corrected)
        return counts

    def _exceptions(self, connection: sa.Connection, spans: Sequence[tuple[str, str]]) -> Iterator[_Exception]:
        """Photos that a person labelled otherwise than the model, and those that are not in their folders."""
        r, p = results.c, photos.c
        corrected = sa.select(r.classified_at, r.predicted_label, r.corrected_label).where(
            r.id.in_(sa.select(reviews.c.photo_id)),
            r.corrected_label != r.predicted_label,
            r.state.not_in(_ELSEWHERE),
        )
        elsewhere = sa.select(p.classified_at, p.predicted_label, sa.null()).where(
            p.state.in_(_ELSEWHERE), p.predicted_label.is_not(None)
        )
        starts = [since for since, _ in spans]
        for query, time in ((corrected, r.classified_at), (elsewhere, p.classified_at)):
            for at, predicted, actual in connection.execute(query.where(time >= starts[0], time < spans[-1][1])):
                yield _Exception(bisect_right(starts, at) - 1, predicted, actual)

    def labelled(self) -> int:
        """How many photos in their folders people have labelled."""
        id_ = reviews.c.photo_id
        elsewhere = sa.select(photos.c.id).where(photos.c.state.in_(_ELSEWHERE))
        query = sa.select(sa.func.count(id_.distinct())).where(id_.not_in(elsewhere))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def label_pairs(self) -> LabelPairs:
        """Photos by a person's label and the model's. Exact copies count once."""
        r = results.c
        query = (
            sa.select(r.corrected_label, r.predicted_label, sa.func.count(r.sha256.distinct()))
            .where(r.id.in_(sa.select(reviews.c.photo_id)), r.corrected_label.is_not(None))
            .where(r.predicted_label.is_not(None))
            .group_by(r.corrected_label, r.predicted_label)
        )
        with self._engine.connect() as connection:
            return {(person, model): count for person, model, count in connection.execute(query)}

    def newest(self) -> NewestPhotos:
        """The newest predictions, sizes and durations."""
        p, m = photos.c, models.c
        newest_model = sa.select(p.model_id).where(p.probability.is_not(None)).order_by(p.id.desc()).limit(1)
        predictions = (
            sa.select(p.probability, p.size_bytes, p.model_id)
            .where(p.probability.is_not(None))
            .order_by(p.id.desc())
            .limit(NEWEST)
        )
        unmoved = (
            sa.select(p.claimed_at, p.filed_at)
            .where(p.state == FILED, ~sa.exists().where(reviews.c.photo_id == p.id))
            .order_by(p.id.desc())
            .limit(_NEWEST_FILED)
        )
        with self._engine.connect() as connection:
            query = sa.select(m.id, m.name, m.card).where(m.id == newest_model.scalar_subquery())
            model = connection.execute(query).first()
            if model is None:
                return NewestPhotos()
            rows = [row for row in connection.execute(predictions) if row.model_id == model.id]
            durations_s = [_duration_s(row.claimed_at, row.filed_at) for row in connection.execute(unmoved)]
        return NewestPhotos(
            model=model.name,
            card=model.card,
            p_food=[row.probability for row in rows],
            sizes_bytes=[row.size_bytes for row in rows],
            durations_s=durations_s,
        )

    def database_bytes(self) -> int | None:
        """Size of the database (bytes); None for kinds of databases that do not report it."""
        with self._engine.connect() as connection:
            query = _SIZE_QUERIES.get(connection.dialect.name)
            return int(connection.exec_driver_sql(query).scalar_one()) if query else None


def _by_prediction(spans: Sequence[tuple[str, str]]) -> "sa.CompoundSelect[tuple[int, ...]]":
    """The query for each span's number and its photos by the model's label, and failed ones.

    Each number is counted in an index alone, so that a million photos take a tenth of a second.
    """
    p = photos.c
    columns = [
        *((label, p.predicted_label == label, p.classified_at) for label in _LABELS),
        ("failed", p.state == FAILED, p.filed_at),
    ]
    selects = [
        sa.select(
            sa.literal(number).label("number"),
            *(
                sa.select(sa.func.count()).where(condition, time >= since, time < until).scalar_subquery().label(name)
                for name, condition, time in columns
            ),
        )
        for number, (since, until) in enumerate(spans)
    ]
    return sa.union_all(*selects).order_by("number")


def _duration_s(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
