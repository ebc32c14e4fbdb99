"""Photos from the view `results`: filtered, in order, page by page."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypedDict, cast

import sqlalchemy as sa

from daemon.database import snapshot
from daemon.database.schema import photos, results, reviews
from daemon.photo import State
from daemon.queries import globs
from daemon.queries.filters import Filters, conditions
from daemon.queries.keyset import Key, Order

Select = sa.Select[Any] | sa.CompoundSelect[Any]

_PAGE = 5000  # rows read in one transaction
FEW = 100_000
"""Most photos to find by a filter's index and sort. Of more, reading all photos in order soon meets enough of them."""


class ResultRow(TypedDict):
    """A row of the view `results`. Times are UTC, ISO 8601 with microseconds, but for `taken_at`, the camera's."""

    id: int
    name: str
    path: str
    sha256: str
    label: str | None
    predicted_label: str | None
    corrected_label: str | None
    probability: float | None
    state: State
    model: str | None
    classified_at: str | None
    filed_at: str | None
    inbox_path: str
    size_bytes: int
    format: str | None
    width: int | None
    height: int | None
    error_kind: str | None
    error_message: str | None
    batch_id: int
    attempts: int
    first_failed_at: str | None
    duplicate_of: int | None
    taken_at: str | None
    taken_offset: str | None
    camera: str | None
    certainty: float | None
    logit: float | None
    threshold: float | None
    unsure_low: float | None
    unsure_high: float | None
    engine: str | None
    modified_at: str
    claimed_at: str
    reviewed_at: str | None
    look: int | None
    companions: int
    original: str | None


COLUMNS = tuple(ResultRow.__annotations__)
"""The columns of the view, in order."""


class IndexHints(NamedTuple):
    """Filters by whose index SQLite should find the photos, and then sort them. PostgreSQL decides by its statistics.

    Attributes:
        name: Few names match the pattern.
        certainty: Few photos have so low a certainty.
        label: The label's index serves: it has the rows in order, or, by certainty, few photos have the label.
    """

    name: bool = False
    certainty: bool = False
    label: bool = True


NO_HINTS = IndexHints()


def select(
    filters: Filters,
    dialect: str = "sqlite",
    *,
    columns: Sequence[str] = COLUMNS,
    order: Order | None = None,
    after: Key | None = None,
    hints: IndexHints = NO_HINTS,
) -> Select:
    """The query for one page of the rows that pass the filters.

    Args:
        filters: Which rows, and how many.
        dialect: SQLAlchemy's name for the kind of database.
        columns: Columns of the view.
        order: Order of the rows (default: the filters' own).
        after: Key of the row after which the page begins (default: the first page).
        hints: Indexes to use on SQLite, see `index_hints`.
    """
    order = order or filters.order
    clauses = order.clauses(dialect)
    # First: of two conditions on the same column, SQLite uses the first to narrow the search in an index.
    start = () if after is None else (order.after(after, dialect),)
    query = _unlabelled(filters, dialect, columns, hints, start)
    if filters.label is None:
        return query.order_by(*clauses).limit(filters.limit)
    if not hints.label:
        return query.where(results.c.label == filters.label).order_by(*clauses).limit(filters.limit)
    parts = _parts(query, filters.label)
    # SQLite merges parts that come in order. PostgreSQL would sort all of them, so each part has the limit, too.
    if filters.limit is not None and dialect != "sqlite":
        parts = [sa.select(part.order_by(*clauses).limit(filters.limit).subquery()) for part in parts]
    return sa.union_all(*parts).order_by(*clauses).limit(filters.limit)


def matching(filters: Filters, dialect: str, *, hints: IndexHints = NO_HINTS) -> Select:
    """The query for all rows that pass the filters, in no order."""
    query = _unlabelled(filters, dialect, COLUMNS, hints)
    return query if filters.label is None else sa.union_all(*_parts(query, filters.label))


def index_hints(connection: sa.Connection, filters: Filters, few: int) -> IndexHints:
    """Counts, up to `few`, the photos that the filters' indexes find."""
    if connection.dialect.name != "sqlite":
        return NO_HINTS
    by_certainty = filters.label is not None and filters.sort == "certainty"
    return IndexHints(
        name=filters.glob is not None and _is_few(connection, _by_name(filters.glob), few),
        certainty=filters.max_certainty is not None and _is_few(connection, _by_certainty(filters.max_certainty), few),
        label=not by_certainty or _is_few(connection, _by_label(filters.label), few),
    )


def rows(engine: sa.Engine, filters: Filters) -> Iterator[ResultRow]:
    """The rows that pass the filters, read some thousands at a time.

    Each page is of one moment. No transaction stays open between pages: a slow consumer would make the database's log
    grow. A row that changes before its page is read comes as it is then, or is left out if it no longer passes.
    """
    after: ResultRow | None = None
    hints: IndexHints | None = None
    remaining = filters.limit
    while True:
        page_size = _PAGE if remaining is None else min(_PAGE, remaining)
        read = partial(_page, filters=replace(filters, limit=page_size), after=after, hints=hints)
        page, hints = snapshot.read_snapshot(engine, read)
        yield from page
        if remaining is not None:
            remaining -= len(page)
        if len(page) < page_size or remaining == 0:
            return
        after = page[-1]


def count(engine: sa.Engine, most: int, state: State | None = None) -> int:
    """Counts all photos, or those in one state, up to `most`."""
    ids = sa.select(photos.c.id)
    with engine.connect() as connection:
        return _count(connection, ids if state is None else ids.where(photos.c.state == state), most)


def _page(
    connection: sa.Connection, filters: Filters, after: Key | None, hints: IndexHints | None
) -> tuple[list[ResultRow], IndexHints]:
    if hints is None:
        hints = index_hints(connection, filters, FEW)
    query = select(filters, connection.dialect.name, after=after, hints=hints)
    return [cast(ResultRow, dict(row)) for row in connection.execute(query).mappings()], hints


def _unlabelled(
    filters: Filters,
    dialect: str,
    columns: Sequence[str],
    hints: IndexHints,
    start: "Sequence[sa.ColumnElement[bool]]" = (),
) -> "sa.Select[Any]":
    """The query for the rows that pass all filters but the label. start: where the page begins."""
    r = results.c
    query = sa.select(*(r[name] for name in columns)).where(*start, *conditions(r, filters, dialect))
    if hints.name and filters.glob is not None:
        query = query.where(r.id.in_(_by_name(filters.glob)))
    if hints.certainty and filters.max_certainty is not None:
        query = query.where(r.id.in_(_by_certainty(filters.max_certainty)))
    return query


def _parts(query: "sa.Select[Any]", label: str) -> list["sa.Select[Any]"]:
    """The rows by the model's label, and those by a person's: each has an index; the view's `label` cannot have one."""
    r = results.c
    reviewed = sa.select(reviews.c.photo_id).where(reviews.c.label == label)
    return [
        # PostgreSQL estimates how many photos have no review, but not how many have no `corrected_label`.
        query.where(r.predicted_label == label, ~sa.exists().where(reviews.c.photo_id == r.id)),
        query.where(r.id.in_(reviewed), r.corrected_label == label),
    ]


def _by_label(label: str | None) -> "sa.CompoundSelect[Any]":
    """The ids of photos with a label of the model's or a person's, by the indexes on labels."""
    reviewed = sa.select(reviews.c.photo_id).where(reviews.c.label == label)
    return sa.union_all(sa.select(photos.c.id).where(photos.c.predicted_label == label), reviewed)


def _by_name(glob: str) -> "sa.CompoundSelect[Any]":
    """The ids of photos whose names match, or are the pattern itself, by SQLite's index on names."""
    ids = sa.select(photos.c.id)
    return sa.union_all(
        ids.where(globs.matches(photos.c.name, glob, "sqlite", by_index=True)), ids.where(photos.c.name == glob)
    )


def _by_certainty(most: float) -> "sa.Select[Any]":
    """The ids of photos up to a certainty, by SQLite's index: the expression must be that of the index."""
    certainty: sa.ColumnElement[float] = sa.literal_column("0.5 + abs(probability - 0.5)")
    return sa.select(photos.c.id).where(certainty <= most)


def _is_few(connection: sa.Connection, ids: Select, few: int) -> bool:
    return _count(connection, ids, few + 1) <= few


def _count(connection: sa.Connection, ids: Select, most: int) -> int:
    """Counts rows up to `most`."""
    return connection.execute(sa.select(sa.func.count()).select_from(ids.limit(most).subquery())).scalar_one()
