"""Questions to the results database, and the answers as a table, JSON or CSV."""

import csv
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from daemon.schema import photos, results, reviews, text

Format = Literal["table", "json", "jsonl", "csv"]

TABLE_LIMIT = 50

_FEW = 100_000
"""Most names that are found and sorted; where more begin alike, walking from the newest row soon meets enough of them."""


@dataclass(frozen=True)
class Filters:
    """Which photos are asked for. since, until: when they were classified. name: exact, or a beginning with * after it."""

    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_probability: float | None = None
    state: str | None = None
    name: str | None = None
    limit: int | None = None


def select(
    filters: Filters, dialect: str = "sqlite", *, few_names: bool = False
) -> "sa.Select[Any] | sa.CompoundSelect[Any]":
    """The rows of the view `results` that the filters let through, newest first; by time where a time is asked for.

    dialect: SQLAlchemy's name for the kind of database.
    few_names: SQLite shall find the names that begin as asked by their index. Without, it goes through the rows in order.
    """
    r = results.c
    query = sa.select(results)
    if filters.since is not None:
        query = query.where(r.classified_at >= text(filters.since))
    if filters.until is not None:
        query = query.where(r.classified_at < text(filters.until))
    if filters.state is not None:
        query = query.where(r.state == filters.state)
    if filters.name is not None and filters.name.endswith("*"):
        prefix = filters.name[:-1]
        if dialect == "postgresql":  # it knows how many begin alike, and finds few by the index
            query = query.where(r.name.like(re.sub(r"([\\%_])", r"\\\1", prefix) + "%"))
        else:
            query = query.where(sa.func.substr(r.name, 1, len(prefix)) == prefix)
        if few_names:
            query = query.where(r.id.in_(_beginning(prefix)))
    elif filters.name is not None:
        query = query.where(r.name == filters.name)
    if filters.min_probability is not None:
        # `probability` is P(food) whatever the label, so the label's own is asked for.
        of_label = sa.case(
            (r.label == "food", r.probability),
            (r.label == "non_food", 1 - r.probability),
            else_=sa.case((r.probability >= 0.5, r.probability), else_=1 - r.probability),
        )
        query = query.where(of_label >= filters.min_probability)
    by_time = filters.since is not None or filters.until is not None
    order: list[sa.UnaryExpression[Any]] = [sa.desc(name) for name in (("classified_at", "id") if by_time else ("id",))]
    if filters.label is None:
        return query.order_by(*order).limit(filters.limit)
    # There can be no index on the view's `label`, but on each of the two that it is one of; and both parts come in order.
    corrected = sa.select(reviews.c.photo_id).where(reviews.c.label == filters.label)
    return (
        sa.union_all(
            query.where(r.predicted_label == filters.label, r.corrected_label.is_(None)),
            query.where(r.id.in_(corrected), r.corrected_label == filters.label),
        )
        .order_by(*order)
        .limit(filters.limit)
    )


def rows(engine: sa.Engine, filters: Filters) -> Iterable[dict[str, Any]]:
    """The rows as dictionaries, read as they are asked for."""
    with engine.connect() as connection:
        query = select(filters, connection.dialect.name, few_names=_few_names(connection, filters))
        for row in connection.execution_options(yield_per=1000).execute(query).mappings():
            yield dict(row)


def _few_names(connection: sa.Connection, filters: Filters) -> bool:
    """Whether SQLite's index on names pays: not where too many begin alike."""
    if filters.name is None or not filters.name.endswith("*") or connection.dialect.name != "sqlite":
        return False
    some = _beginning(filters.name[:-1]).limit(_FEW + 1).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= _FEW


def _beginning(prefix: str) -> "sa.Select[Any]":
    """The ids of photos whose names begin so, as a range of SQLite's order, which is that of code points."""
    query = sa.select(photos.c.id).where(photos.c.name >= prefix)
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return query
    last = ord(kept[-1])
    after = chr(0xE000 if last == 0xD7FF else last + 1)  # between these two lie no characters
    return query.where(photos.c.name < kept[:-1] + after)


def write(found: Iterable[dict[str, Any]], form: Format) -> None:
    """Writes rows to stdout."""
    {"json": _json, "jsonl": _jsonl, "csv": _csv, "table": _table}[form](found)


def _json(found: Iterable[dict[str, Any]]) -> None:
    before = "["
    for row in found:
        sys.stdout.write(f"{before}\n  {json.dumps(row, ensure_ascii=False)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _jsonl(found: Iterable[dict[str, Any]]) -> None:
    for row in found:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _csv(found: Iterable[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, [column.name for column in results.c])
    writer.writeheader()
    writer.writerows(found)


def _table(found: Iterable[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    # Folded, not cut: a path that is shown in part can't be copied.
    table = Table("id", Column("path", overflow="fold"), "label", "P(food)", "state", "classified at")
    for row in found:
        label = row["label"] or row["error_kind"] or ""
        p_food = "" if row["probability"] is None else f"{row['probability']:.3f}"
        when = (row["classified_at"] or "")[:19].replace("T", " ")
        table.add_row(str(row["id"]), escape(row["path"]), label, p_food, row["state"], when)
    Console().print(table)
