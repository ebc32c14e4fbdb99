"""What the overview asks the database: counts by time, how the newest photos were judged, what people said of them."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, get_args

import sqlalchemy as sa

from daemon.database.schema import models, photos, results, reviews
from daemon.photo import DELETED, DELETING, FAILED, FILED, State
from daemon.web.agreement import LabelPair
from daemon.web.gallery import SORTED

NEWEST = 10_000
"""How many photos are looked at one by one."""
EVER = ("0000", "9999")
"""Times before and after all others, as they stand in the database."""

_ELSEWHERE = set(get_args(State)) - {*SORTED, FAILED, DELETING, DELETED}
"""States of the few photos that may have a label and do not lie at their places, such as those that were undone."""
_LABELS = ("food", "non_food", "unsure")
_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


class Counts(NamedTuple):
    """Photos at their places by label, a person's before the model's, and those that failed and lie there still."""

    food: int = 0
    non_food: int = 0
    unsure: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


class Newest(NamedTuple):
    """The photos that were judged last, newest first, by the model of the very newest.

    card: that model's, as JSON; None where there is no photo. p_food: calibrated, in [0, 1]. sizes_bytes: of the files.
    taking_s: how long the thousand newest took from the inbox to their place, of those that no person has moved since.
    """

    model: str
    card: str | None
    p_food: list[float]
    sizes_bytes: list[int]
    taking_s: list[float]


class Statistics:
    """Asks through an engine of `database.reading`, whose every use opens the database anew."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def between(self, edges: Sequence[str]) -> list[Counts]:
        """Counts from each of n + 1 times, as they stand in the database, to the next: n of them."""
        spans = list(pairwise(edges))
        p = photos.c
        columns = [
            *((name, p.predicted_label == name, p.classified_at) for name in _LABELS),
            ("failed", p.state == FAILED, p.filed_at),
        ]
        # Each is counted in an index alone, so that a million photos take a tenth of a second.
        asked = sa.union_all(
            *(
                sa.select(
                    sa.literal(number).label("number"),
                    *(
                        sa.select(sa.func.count()).where(of, at >= since, at < until).scalar_subquery().label(name)
                        for name, of, at in columns
                    ),
                )
                for number, (since, until) in enumerate(spans)
            )
        ).order_by("number")
        with self._engine.connect() as connection:
            counted = [Counts(*row[1:]) for row in connection.execute(asked)]
            for number, predicted, holds in self._otherwise(connection, spans):
                counts = counted[number]._asdict()
                counts[predicted] -= 1
                if holds:
                    counts[holds] += 1
                counted[number] = Counts(**counts)
        return counted

    def _otherwise(
        self, connection: sa.Connection, spans: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[int, str, str | None]]:
        """Photos that do not count by the model's label: the number of their span, that label, and the one that holds.

        None holds for those that lie elsewhere.
        """
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
            for at, predicted, holds in connection.execute(query.where(time >= starts[0], time < spans[-1][1])):
                yield bisect_right(starts, at) - 1, predicted, holds

    def labelled(self) -> int:
        """How many photos people have labelled, of those at their places."""
        id_ = reviews.c.photo_id
        elsewhere = sa.select(photos.c.id).where(photos.c.state.in_(_ELSEWHERE))
        with self._engine.connect() as connection:
            return connection.execute(
                sa.select(sa.func.count(id_.distinct())).where(id_.not_in(elsewhere))
            ).scalar_one()

    def said(self) -> LabelPair:
        """What people said of photos that the model had judged: photos by both labels. Exact copies count once."""
        r = results.c
        query = (
            sa.select(r.corrected_label, r.predicted_label, sa.func.count(r.sha256.distinct()))
            .where(r.id.in_(sa.select(reviews.c.photo_id)), r.corrected_label.is_not(None))
            .where(r.predicted_label.is_not(None))
            .group_by(r.corrected_label, r.predicted_label)
        )
        with self._engine.connect() as connection:
            return {(person, model): count for person, model, count in connection.execute(query)}

    def newest(self) -> Newest:
        """The photos that were judged last."""
        p, m = photos.c, models.c
        judged = sa.select(p.model_id).where(p.probability.is_not(None)).order_by(p.id.desc()).limit(1)
        query = (
            sa.select(p.probability, p.size_bytes, p.model_id)
            .where(p.probability.is_not(None))
            .order_by(p.id.desc())
            .limit(NEWEST)
        )
        untouched = (
            sa.select(p.claimed_at, p.filed_at)
            .where(p.state == FILED, ~sa.exists().where(reviews.c.photo_id == p.id))
            .order_by(p.id.desc())
            .limit(1000)
        )
        with self._engine.connect() as connection:
            model = connection.execute(sa.select(m.id, m.name, m.card).where(m.id == judged.scalar_subquery())).first()
            if model is None:
                return Newest("", None, [], [], [])
            rows = [row for row in connection.execute(query) if row.model_id == model.id]
            taking = [_seconds(row.claimed_at, row.filed_at) for row in connection.execute(untouched)]
        return Newest(
            model.name,
            model.card,
            [row.probability for row in rows],
            [row.size_bytes for row in rows],
            taking,
        )

    def database_bytes(self) -> int | None:
        """How large the database is; None for kinds of which that is not known."""
        with self._engine.connect() as connection:
            size = _SIZES.get(connection.dialect.name)
            return int(connection.exec_driver_sql(size).scalar_one()) if size else None


def _seconds(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
