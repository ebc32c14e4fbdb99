"""Photos counted by day, label, model or camera; the database counts."""

from collections.abc import Iterator
from typing import Any, Literal

import sqlalchemy as sa

from daemon.database import snapshot
from daemon.queries import results
from daemon.queries.results import Filters

By = Literal["day", "label", "model", "camera"]
"""What groups are of. day: the day in UTC on which photos were classified; those that failed, were claimed."""

COUNTS = ("photos", "food", "non_food", "unsure", "failed", "labelled", "corrected")
"""Of each group: all, by label, without a label, labelled by a person, and of those, what the network had called otherwise."""


def columns(by: By) -> list[str]:
    """The columns of a group, in order: which it is, and its counts."""
    return [by, *COUNTS]


def groups(engine: sa.Engine, filters: Filters, by: By) -> Iterator[dict[str, Any]]:
    """The groups of the photos that the filters let through: days newest first, others by how many photos they have.

    filters.limit: most groups.
    """

    def ask(connection: sa.Connection) -> list[dict[str, Any]]:
        dialect, few = connection.dialect.name, results.few_names(connection, filters)
        return [dict(row) for row in connection.execute(select(filters, by, dialect, few_names=few)).mappings()]

    yield from snapshot.at_one_moment(engine, ask)


def select(filters: Filters, by: By, dialect: str = "sqlite", *, few_names: bool = False) -> "sa.Select[Any]":
    """The question that `groups` asks."""
    r = results.matching(filters, dialect, few_names=few_names).subquery("r").c
    day = sa.func.substr(sa.func.coalesce(r.classified_at, r.claimed_at), 1, 10)
    group = (day if by == "day" else r[by]).label(by)
    otherwise = r.corrected_label != sa.func.coalesce(r.predicted_label, "")
    counts = (
        *(_count(r.label == label).label(label) for label in ("food", "non_food", "unsure")),
        _count(r.label.is_(None)).label("failed"),
        _count(r.corrected_label.is_not(None)).label("labelled"),
        _count(otherwise).label("corrected"),
    )
    photos = sa.func.count().label("photos")
    order: list[sa.UnaryExpression[Any]] = [sa.desc("photos"), sa.nulls_last(sa.asc(by))]
    if by == "day":
        order = [sa.desc(by)]
    return sa.select(group, photos, *counts).group_by(group).order_by(*order).limit(filters.limit)


def _count(condition: "sa.ColumnElement[bool]") -> "sa.ColumnElement[int]":
    return sa.func.count(sa.case((condition, 1)))
