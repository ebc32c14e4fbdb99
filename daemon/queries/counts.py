"""Counts photos by day, label, model or camera, in the database."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from daemon.database import snapshot
from daemon.queries import results
from daemon.queries.arguments import GroupBy
from daemon.queries.filters import Filters
from daemon.queries.results import NO_HINTS, IndexHints

COUNTS = ("photos", "food", "non_food", "unsure", "failed", "labelled", "corrected")
"""The counts of a group: all photos, photos by label, photos without a label, photos labelled by a person, and those of
them that the model had labelled otherwise."""


def columns(by: GroupBy) -> list[str]:
    """The columns of a group, in order: its name, then its counts."""
    return [by, *COUNTS]


def groups(engine: sa.Engine, filters: Filters, by: GroupBy) -> Iterator[dict[str, Any]]:
    """Counts the photos that pass the filters.

    Args:
        engine: The database.
        filters: The limit is that of groups.
        by: The property that defines the groups.

    Returns:
        A dictionary with `columns(by)` a group: days newest first, other groups largest first.
    """

    def read(connection: sa.Connection) -> list[dict[str, Any]]:
        dialect = connection.dialect.name
        query = select(filters, by, dialect, hints=results.index_hints(connection, filters, results.FEW))
        return [dict(row) for row in connection.execute(query).mappings()]

    yield from snapshot.read_snapshot(engine, read)


def select(filters: Filters, by: GroupBy, dialect: str = "sqlite", *, hints: IndexHints = NO_HINTS) -> "sa.Select[Any]":
    """The query of `groups`."""
    r = results.matching(filters, dialect, hints=hints).subquery("r").c
    day = sa.func.substr(sa.func.coalesce(r.classified_at, r.claimed_at), 1, 10)
    group = (day if by == "day" else r[by]).label(by)
    photos = sa.func.count().label("photos")
    counts = [_count(r.label == label).label(label) for label in ("food", "non_food", "unsure")]
    counts += [
        _count(r.label.is_(None)).label("failed"),
        _count(r.corrected_label.is_not(None)).label("labelled"),
        _count(r.corrected_label != sa.func.coalesce(r.predicted_label, "")).label("corrected"),
    ]
    order: list[sa.UnaryExpression[Any]] = [sa.desc("photos"), sa.nulls_last(sa.asc(by))]
    if by == "day":
        order = [sa.desc(by)]
    return sa.select(group, photos, *counts).group_by(group).order_by(*order).limit(filters.limit)


def _count(condition: "sa.ColumnElement[bool]") -> "sa.ColumnElement[int]":
    return sa.func.count(sa.case((condition, 1)))
