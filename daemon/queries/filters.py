"""Filters over the view `results`: by label, time, state, name, and how sure the model was."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from daemon.database.schema import reviews
from daemon.database.timestamps import format_time
from daemon.photo import State
from daemon.queries import audit, globs
from daemon.queries.arguments import SortOrder
from daemon.queries.keyset import Order
from models.filenames import escape_control_characters, escape_name, unescape_name

Columns = Any
"""The columns of the view `results`, or of a subquery over it, as attributes."""


@dataclass(frozen=True)
class Filters:
    """Selects photos and their order.

    Attributes:
        label: food, non_food or unsure. A person's label counts before the model's.
        since: Classified at this time or later.
        until: Classified before this time.
        min_probability: Lowest probability of the photo's own label, in [0, 1].
        states: States of the photos; empty for all.
        name: Exact, or a pattern such as *.jpg, see `globs`.
        limit: Most rows.
        sort: Which photos come first.
        max_certainty: Highest certainty of the model, in [0.5, 1].
        reviewed: Only photos that a person has labelled.
        audited: Only photos of the audit sample that a person has labelled for it.
    """

    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_probability: float | None = None
    states: tuple[State, ...] = ()
    name: str | None = None
    limit: int | None = None
    sort: SortOrder = "newest"
    max_certainty: float | None = None
    reviewed: bool = False
    audited: bool = False

    @property
    def glob(self) -> str | None:
        """The pattern for names as they are shown; None if the name is exact, or there is none."""
        return escape_control_characters(self.name) if self.name is not None and globs.is_glob(self.name) else None

    @property
    def order(self) -> Order:
        """The order of the rows: by time of classification if there is a filter for the time, else by id."""
        if self.sort in {"newest", "oldest"}:
            by_time = self.since is not None or self.until is not None
            return Order(("classified_at", "id") if by_time else ("id",), descending=self.sort == "newest")
        return Order((self.sort, "id"))

    @property
    def is_everything(self) -> bool:
        """Whether every photo passes; the limit does not count."""
        return self == Filters(limit=self.limit, sort=self.sort) and self.sort != "certainty"


def conditions(r: Columns, filters: Filters, dialect: str) -> "Iterator[sa.ColumnElement[bool]]":
    """The conditions for all filters but the label. dialect: SQLAlchemy's name for the kind of database."""
    if filters.since is not None:
        yield r.classified_at >= format_time(filters.since)
    if filters.until is not None:
        yield r.classified_at < format_time(filters.until)
    if len(filters.states) == 1:
        yield r.state == filters.states[0]
    elif filters.states:
        # The index on states would find rows of several states out of order, and SQLite would sort them all.
        yield (sa.func.coalesce(r.state, "") if dialect == "sqlite" else r.state).in_(filters.states)
    if filters.name is not None:
        yield _name_matches(r.name, filters, dialect)
    if filters.min_probability is not None:
        # `probability` is P(food), also for photos with another label.
        of_label = sa.case(
            (r.label == "food", r.probability),
            (r.label == "non_food", 1 - r.probability),
            else_=sa.case((r.probability >= 0.5, r.probability), else_=1 - r.probability),
        )
        yield of_label >= filters.min_probability
    if filters.max_certainty is not None:
        yield r.certainty <= filters.max_certainty
    if filters.reviewed or filters.audited:
        yield r.id.in_(audit.audited_ids() if filters.audited else sa.select(reviews.c.photo_id))
    if filters.sort == "certainty":
        yield r.certainty.is_not(None)


def _name_matches(column: "sa.ColumnElement[Any]", filters: Filters, dialect: str) -> "sa.ColumnElement[bool]":
    glob = filters.glob
    if glob is None:
        return column == escape_name(unescape_name(filters.name or ""))
    matches = globs.matches(column, glob, dialect)
    return sa.or_(matches, column == glob) if "[" in glob else matches  # a name may have brackets itself
