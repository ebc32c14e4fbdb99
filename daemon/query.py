"""Questions to the results database, and the answers as a table, JSON or CSV."""

import csv
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from daemon.schema import results, text

Format = Literal["table", "json", "jsonl", "csv"]

TABLE_LIMIT = 50


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


def select(filters: Filters) -> "sa.Select[Any]":
    """The rows of the view `results` that the filters let through, newest first."""
    r = results.c
    query = sa.select(results).order_by(r.id.desc())
    if filters.label is not None:
        query = query.where(r.label == filters.label)
    if filters.since is not None:
        query = query.where(r.classified_at >= text(filters.since))
    if filters.until is not None:
        query = query.where(r.classified_at < text(filters.until))
    if filters.state is not None:
        query = query.where(r.state == filters.state)
    if filters.name is not None and filters.name.endswith("*"):
        query = query.where(r.name.startswith(filters.name[:-1], autoescape=True))
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
    return query.limit(filters.limit)


def rows(engine: sa.Engine, filters: Filters) -> Iterable[dict[str, Any]]:
    """The rows as dictionaries, read as they are asked for."""
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=1000).execute(select(filters)).mappings():
            yield dict(row)


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
