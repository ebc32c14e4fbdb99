"""Questions to the results database about its photos."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from daemon.database import snapshot
from daemon.database.schema import photos, results, reviews
from daemon.database.timestamps import format_time
from daemon.queries import globs
from daemon.queries.arguments import SortOrder
from models.filenames import escape_control_characters, escape_name, unescape_name

Row = dict[str, Any]

_PAGE = 5000  # rows that are read at a time
_FEW = 100_000
"""Most photos that are found and sorted; where more begin alike, walking from the newest row soon meets enough of them."""


@dataclass(frozen=True)
class Filters:
    """Which photos are asked for, and in which order.

    since, until: when they were classified. name: exact, or a pattern such as *.jpg, as `globs` says.
    """

    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_probability: float | None = None
    state: str | None = None
    name: str | None = None
    limit: int | None = None
    sort: SortOrder = "newest"

    @property
    def glob(self) -> str | None:
        """The pattern for names, as names are shown; None when none is asked for."""
        return escape_control_characters(self.name) if self.name is not None and globs.is_glob(self.name) else None


def select(
    filters: Filters,
    dialect: str = "sqlite",
    *,
    few_names: bool = False,
    few_labelled: bool = True,
    after: Row | None = None,
) -> "sa.Select[Any] | sa.CompoundSelect[Any]":
    """The rows of the view `results` that the filters let through, in order; by time where a time is asked for.

    dialect: SQLAlchemy's name for the kind of database.
    few_names: SQLite shall find the names that begin as asked by their index. Without, it goes through the rows in order.
    few_labelled: the same of the label; only by certainty, as the labels' index has all other orders.
    after: the row behind which the wanted ones come.
    """
    order = _order(filters, dialect)
    query = _unlabelled(filters, dialect, few_names=few_names)
    if after is not None:
        query = query.where(_behind(after, filters, dialect))
    if filters.label is not None and not few_labelled:
        return query.where(results.c.label == filters.label).order_by(*order).limit(filters.limit)
    if filters.label is not None:
        return of_label(query, filters.label, order, filters.limit, dialect)
    return query.order_by(*order).limit(filters.limit)


def matching(filters: Filters, dialect: str, *, few_names: bool = False) -> "sa.Select[Any] | sa.CompoundSelect[Any]":
    """All the rows that the filters let through, in no order."""
    query = _unlabelled(filters, dialect, few_names=few_names)
    return query if filters.label is None else sa.union_all(*_parts(query, filters.label))


def of_label(
    query: "sa.Select[Any]", label: str, order: Sequence["sa.ColumnElement[Any]"], limit: int | None, dialect: str
) -> "sa.CompoundSelect[Any]":
    """Those rows of a question to the view `results` that have a label, a person's before the model's, in order.

    order: of columns by their names.
    """
    parts = _parts(query, label)
    # SQLite merges what comes in order already; PostgreSQL would sort it all, so each part gives no more than are wanted.
    if limit is not None and dialect != "sqlite":
        parts = [sa.select(part.order_by(*order).limit(limit).subquery()) for part in parts]
    return sa.union_all(*parts).order_by(*order).limit(limit)


def _parts(query: "sa.Select[Any]", label: str) -> list["sa.Select[Any]"]:
    """There can be no index on the view's `label`, but on each of the two that it is one of; and both parts come in order."""
    r = results.c
    given = sa.select(reviews.c.photo_id).where(reviews.c.label == label)
    return [
        # PostgreSQL foresees how many photos have no review, but not how many have no `corrected_label`.
        query.where(r.predicted_label == label, ~sa.exists().where(reviews.c.photo_id == r.id)),
        query.where(r.id.in_(given), r.corrected_label == label),
    ]


def _unlabelled(filters: Filters, dialect: str, *, few_names: bool) -> "sa.Select[Any]":
    """What is asked but for the label."""
    r = results.c
    query = sa.select(results).where(*conditions(r, filters, dialect))
    if few_names and filters.glob:
        query = query.where(r.id.in_(_beginning(globs.prefix(filters.glob))))
    return query


def conditions(r: Any, filters: Filters, dialect: str) -> Iterator["sa.ColumnElement[bool]"]:
    """What the filters ask of the columns of the view `results`, but for the label."""
    if filters.since is not None:
        yield r.classified_at >= format_time(filters.since)
    if filters.until is not None:
        yield r.classified_at < format_time(filters.until)
    if filters.state is not None:
        yield r.state == filters.state
    if filters.name is not None:
        yield _named(r.name, filters, dialect)
    if filters.min_probability is not None:
        # `probability` is P(food) whatever the label, so the label's own is asked for.
        of_label = sa.case(
            (r.label == "food", r.probability),
            (r.label == "non_food", 1 - r.probability),
            else_=sa.case((r.probability >= 0.5, r.probability), else_=1 - r.probability),
        )
        yield of_label >= filters.min_probability
    if filters.sort == "certainty":
        yield r.certainty.is_not(None)


def rows(engine: sa.Engine, filters: Filters) -> Iterator[Row]:
    """The rows as dictionaries, read as they are asked for, some thousands at a time.

    Those are of one moment, and no transaction outlasts their reading: whoever takes them may be slow, and the database's
    log would grow meanwhile. Rows that change on the way come as they are by then, or not at all where they have left.
    """
    last: Row | None = None
    few: dict[str, bool] | None = None
    left = filters.limit
    while True:
        most = _PAGE if left is None else min(_PAGE, left)

        def ask(connection: sa.Connection, most: int = most, last: Row | None = last) -> list[Row]:
            nonlocal few
            few = few or {
                "few_names": few_names(connection, filters),
                "few_labelled": few_labelled(connection, filters),
            }
            query = select(replace(filters, limit=most), connection.dialect.name, after=last, **few)
            return [dict(row) for row in connection.execute(query).mappings()]

        page = snapshot.read_snapshot(engine, ask)
        yield from page
        left = left and left - len(page)
        if len(page) < most or left == 0:
            return
        last = page[-1]


def is_everything(filters: Filters) -> bool:
    """Whether no photo is left out, but by the limit."""
    return filters == Filters(limit=filters.limit, sort=filters.sort) and filters.sort != "certainty"


def count(engine: sa.Engine, most: int) -> int:
    """How many photos there are, as far as they are counted."""
    some = sa.select(photos.c.id).limit(most).subquery()
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def _named(column: "sa.ColumnElement[Any]", filters: Filters, dialect: str) -> "sa.ColumnElement[bool]":
    glob = filters.glob
    if glob is None:
        return column == escape_name(unescape_name(filters.name or ""))
    if globs.is_beginning(glob):
        beginning = globs.prefix(glob)
        if dialect == "postgresql":  # it knows how many begin alike, and finds few by the index
            return column.like(re.sub(r"([\\%_])", r"\\\1", beginning) + "%")
        return sa.func.substr(column, 1, len(beginning)) == beginning
    # A name may have brackets itself.
    return sa.or_(globs.matches(column, glob, dialect), column == glob)


def _keys(filters: Filters) -> tuple[str, ...]:
    """The columns that rows are in the order of; only by the newest is it a descending one."""
    if filters.sort in {"newest", "oldest"}:
        by_time = filters.since is not None or filters.until is not None
        return ("classified_at", "id") if by_time else ("id",)
    return (filters.sort, "id")


def _order(filters: Filters, dialect: str) -> list["sa.ColumnElement[Any]"]:
    if filters.sort == "name" and dialect == "postgresql":  # by code points, as its index has them, and as SQLite does
        return [sa.literal_column("name USING ~<~"), sa.asc("id")]
    return [sa.desc(name) if filters.sort == "newest" else sa.asc(name) for name in _keys(filters)]


def _behind(last: Row, filters: Filters, dialect: str) -> "sa.ColumnElement[bool]":
    """Whether a row comes after the last one. None of the columns is NULL in the order of which rows are asked for."""
    sign, (*first, _) = "<" if filters.sort == "newest" else ">", _keys(filters)
    later: sa.ColumnElement[bool] = results.c.id.op(sign, is_comparison=True)(last["id"])
    for name in first:
        key, ends = results.c[name], "~" if (name, dialect) == ("name", "postgresql") else ""
        # The first of these is all that an index needs to begin there.
        not_before = key.op(f"{ends}{sign}={ends}", is_comparison=True)(last[name])
        later = sa.and_(not_before, sa.or_(key != last[name], later))
    return later


def few_names(connection: sa.Connection, filters: Filters) -> bool:
    """Whether SQLite's index on names pays: not where too many begin alike."""
    if not filters.glob or connection.dialect.name != "sqlite":
        return False
    return is_few(connection, _beginning(globs.prefix(filters.glob)), _FEW)


def few_labelled(connection: sa.Connection, filters: Filters) -> bool:
    """Whether sorting all photos of a label pays, on SQLite: by certainty, where few have it."""
    if filters.label is None or filters.sort != "certainty" or connection.dialect.name != "sqlite":
        return True
    return is_few(connection, labelled(filters.label), _FEW)


def labelled(label: str) -> "sa.CompoundSelect[Any]":
    """The ids of photos that the model or a person called so; an index knows them."""
    given = sa.select(reviews.c.photo_id).where(reviews.c.label == label)
    return sa.union_all(sa.select(photos.c.id).where(photos.c.predicted_label == label), given)


def is_few(connection: sa.Connection, ids: "sa.Select[Any] | sa.CompoundSelect[Any]", most: int) -> bool:
    """Whether a question has no more rows than that; they are not counted any further."""
    some = ids.limit(most + 1).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= most


def _beginning(prefix: str) -> "sa.Select[Any]":
    """The ids of photos whose names begin so, as a range of SQLite's order, which is that of code points."""
    query = sa.select(photos.c.id).where(photos.c.name >= prefix)
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return query
    last = ord(kept[-1])
    after = chr(0xE000 if last == 0xD7FF else last + 1)  # between these two lie no characters
    return query.where(photos.c.name < kept[:-1] + after)
