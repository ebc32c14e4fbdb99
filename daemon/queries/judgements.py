"""Sorted photos that a model judges again: which ones, and what it has said of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from daemon.database.rows import KnownLogit
from daemon.database.schema import judgements, models, photos, reviews
from daemon.database.timestamps import format_time
from daemon.photo import FILED
from models.errors import FoodsortError

NEAR: Final = (0.05, 0.95)
"""P(food) from and to which a prediction is near the threshold: a change of the settings may change its label."""

_PAGE_ROWS = 256

UNLABELLED: Final = ~sa.exists().where(reviews.c.photo_id == photos.c.id)
"""No person has labelled the photo."""


class UnknownModel(FoodsortError):
    """Raised when no model in the database has a name."""


@dataclass(frozen=True)
class Choice:
    """Which photos a model judges again. Never those that a person has labelled.

    Without a filter, and not all: photos that another model classified, and those near the threshold.

    Attributes:
        model_id: The row of the model that judges.
        smallest_look: Side of its smallest pictures (pixels); what it said of smaller ones is judged again.
        everything: All photos, also those that no model classified, see `foodsort repair`.
        since: Only those that were classified at this time or later.
        model_ids: Only those that one of these models classified; None: any.
    """

    model_id: int
    smallest_look: int = 0
    everything: bool = False
    since: datetime | None = None
    model_ids: tuple[int, ...] | None = None

    @property
    def condition(self) -> "sa.ColumnElement[bool]":
        """The condition on the table `photos`."""
        p = photos.c
        conditions = [p.state == FILED, UNLABELLED]
        if self.since is not None:
            conditions.append(p.classified_at >= format_time(self.since))
        if self.model_ids is not None:
            conditions.append(p.model_id.in_(self.model_ids))
        if not self.everything and self.since is None and self.model_ids is None:
            conditions.append(p.probability.is_not(None))
            conditions.append(sa.or_(p.model_id != self.model_id, p.probability.between(*NEAR)))
        return sa.and_(*conditions)

    @property
    def judgement(self) -> "sa.ColumnElement[bool]":
        """The condition under which a row of `judgements` is the model's for a row of `photos`."""
        j = judgements.c
        return sa.and_(j.photo_id == photos.c.id, j.model_id == self.model_id, self.is_sharp(j.look))

    def is_sharp(self, look: "sa.ColumnElement[int]") -> "sa.ColumnElement[bool]":
        """Whether a look was at pictures that the model still looks at; the settings may have turned off the small look."""
        return sa.func.coalesce(look, self.smallest_look) >= self.smallest_look


class SortedPhoto(NamedTuple):
    """A sorted photo that has yet to be judged. path: its place."""

    id: int
    path: bytes
    sha256: str


def models_named(engine: sa.Engine, name: str) -> tuple[int, ...]:
    """Returns the ids of the models of a name, with or without its digest, or of a digest that begins so.

    Raises:
        UnknownModel: There is none.
    """
    with engine.connect() as connection:
        rows = connection.execute(sa.select(models.c.id, models.c.name, models.c.sha256)).all()
    found = tuple(
        row.id
        for row in rows
        if name in {row.name, row.name.partition("@")[0]} or (name and row.sha256.startswith(name))
    )
    if not found:
        raise UnknownModel(f"no model in the database has the name {name}; `foodsort results --by model` lists them")
    return found


def count(engine: sa.Engine, choice: Choice) -> tuple[int, int]:
    """Returns the numbers of chosen photos, and of those among them that the model has judged."""
    judged = sa.select(judgements.c.id).where(choice.judgement).exists()
    query = sa.select(sa.func.count(), sa.func.count().filter(judged)).select_from(photos).where(choice.condition)
    with engine.connect() as connection:
        chosen, done = connection.execute(query).one()
    return int(chosen), int(done)


def unjudged(engine: sa.Engine, choice: Choice) -> Iterator[list[SortedPhoto]]:
    """Yields the chosen photos that the model has not judged, by id, in pages."""
    p = photos.c
    query = (
        sa.select(p.id, p.path_bytes, p.sha256)
        .outerjoin(judgements, choice.judgement)
        .where(choice.condition, judgements.c.id.is_(None))
        .order_by(p.id)
        .limit(_PAGE_ROWS)
    )
    after = 0
    while True:
        with engine.connect() as connection:
            page = [SortedPhoto._make(row) for row in connection.execute(query.where(p.id > after))]
        if not page:
            return
        yield page
        after = page[-1].id


def current(engine: sa.Engine, choice: Choice, photo_id: int) -> SortedPhoto | None:
    """Returns a photo as its row is now; None if it is not among the chosen ones any more."""
    p = photos.c
    query = sa.select(p.id, p.path_bytes, p.sha256).where(choice.condition, p.id == photo_id)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else SortedPhoto._make(row)


def known_logits(engine: sa.Engine, choice: Choice, digests: Sequence[str]) -> dict[str, KnownLogit]:
    """Returns what the model said of these bytes, by their SHA-256: when it sorted or judged photos that have them."""
    p, j = photos.c, judgements.c
    sorted_ones = sa.select(p.sha256, p.logit, p.look).where(
        p.sha256.in_(digests), p.model_id == choice.model_id, p.logit.is_not(None), choice.is_sharp(p.look)
    )
    judged_ones = sa.select(p.sha256, j.logit, j.look).join_from(photos, judgements, choice.judgement)
    query = sa.union_all(sorted_ones, judged_ones.where(p.sha256.in_(digests)))
    with engine.connect() as connection:
        return {sha256: KnownLogit(logit, look) for sha256, logit, look in connection.execute(query)}
