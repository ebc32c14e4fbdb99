"""Photos for the page's cards, from queries that stay quick with a million photos."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict, cast

import sqlalchemy as sa

from daemon.database.schema import photos, results
from daemon.photo import CORRECTING, DELETED, DUPLICATE, FAILED, FILED, FILING, MISSING, State
from daemon.queries.companions import CompanionRow, of_photos
from daemon.queries.filters import Filters
from daemon.queries.keyset import BY_ID, Key, Order
from daemon.queries.results import NO_HINTS, IndexHints, ResultRow, count, index_hints, select
from daemon.web.filters import FilterError, GalleryFilters

PAGE = 60
"""Photos on a page."""
LAST_ID = 2**63 - 1
"""No database has a higher id."""
MANY = 1000
"""Failed photos are counted up to this number."""
_FEW = 10_000
"""Most photos to find by a filter's index and sort, see `index_hints`: fewer than for a list that is read whole."""

SORTED: tuple[State, ...] = (FILED, CORRECTING, DUPLICATE)
"""States of photos that have a label and are in their folders."""


class CardRow(TypedDict):
    """The columns of the view `results` that a card shows, see `ResultRow`."""

    id: int
    name: str
    path: str
    sha256: str
    label: str | None
    predicted_label: str | None
    corrected_label: str | None
    probability: float | None
    certainty: float | None
    state: State
    classified_at: str | None
    error_kind: str | None
    error_message: str | None
    attempts: int
    size_bytes: int
    first_failed_at: str | None


_COLUMNS = tuple(CardRow.__annotations__)


class Page(NamedTuple):
    """Photos in order.

    Attributes:
        rows: The photos.
        more: Whether others may follow.
        upto: No photo up to this id will appear as a newer one.
    """

    rows: Sequence[CardRow]
    more: bool = False
    upto: int = 0


class Gallery:
    """Reads photos through an engine from `connections.connect_to_read`, which opens the database again for each use."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(self, filters: GalleryFilters, after: str = "") -> Page:
        """The first photos, or those after the one with this key. Raises FilterError."""
        key = _parse_key(filters, after) if after else None
        with self._engine.connect() as connection:
            # First, so that a photo that arrives between the two queries is in the next answer, too.
            upto = 0 if after else _upto(connection, 0)
            rows = _rows(connection, filters, PAGE + 1, after=key, hints=_hints(connection, filters))
        return Page(rows[:PAGE], len(rows) > PAGE, upto)

    def newer(self, filters: GalleryFilters, than: int) -> Page:
        """Photos with a higher id that are in their folders, oldest first."""
        r = results.c
        with self._engine.connect() as connection:
            upto = _upto(connection, than)
            if not connection.execute(sa.select(sa.select(r.id).where(r.id > than).exists())).scalar():
                return Page([], upto=upto)
            rows = _rows(connection, filters, PAGE + 1, after={"id": than}, order=BY_ID)
        if len(rows) > PAGE:
            return Page(rows[:PAGE], True, rows[PAGE - 1]["id"])
        return Page(rows, upto=upto)

    def photo(self, photo_id: int) -> ResultRow | None:
        """All columns of one photo."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(results).where(results.c.id == photo_id)).mappings().first()
        return None if row is None else cast(ResultRow, dict(row))

    def companions(self, photo_id: int) -> list[CompanionRow]:
        """The companions of one photo that exist."""
        return [row for row in of_photos(self._engine, [photo_id]) if row["state"] not in {MISSING, DELETED}]

    def neighbours(self, filters: GalleryFilters, row: ResultRow) -> tuple[CardRow | None, CardRow | None]:
        """The photos before and after one, among those that pass the filters."""
        order = _query_filters(filters).order
        if any(row[name] is None for name in order.columns):  # type: ignore[literal-required]
            return None, None  # without a certainty, or a time, a photo has no place in the order
        with self._engine.connect() as connection:
            hints = _hints(connection, filters)
            before = _rows(connection, filters, 1, after=row, order=order.reversed(), hints=hints)
            after = _rows(connection, filters, 1, after=row, hints=hints)
        return next(iter(before), None), next(iter(after), None)

    def cards(self, ids: Sequence[int]) -> list[CardRow]:
        """These photos as they are now, newest first."""
        r = results.c
        query = sa.select(*(r[name] for name in _COLUMNS)).where(r.id.in_(ids)).order_by(r.id.desc())
        with self._engine.connect() as connection:
            return _cards(connection, query)

    def failed(self) -> int:
        """How many photos failed, up to MANY."""
        return count(self._engine, MANY, FAILED)


def page_key(filters: GalleryFilters, row: CardRow) -> str:
    """The place of a photo in the order, for an address. `Gallery.page` goes on after it."""
    return "~".join(str(row[name]) for name in _query_filters(filters).order.columns)  # type: ignore[literal-required]


def _parse_key(filters: GalleryFilters, key: str) -> Key:
    """The values of a key. Raises FilterError."""
    columns = _query_filters(filters).order.columns
    values = key.split("~")
    try:
        if "\0" in key or len(values) != len(columns) or not 0 <= int(values[-1]) <= LAST_ID:
            raise ValueError
        return {
            name: int(value) if name == "id" else float(value) if name == "certainty" else value
            for name, value in zip(columns, values, strict=True)
        }
    except ValueError:
        raise FilterError("this address continues a list in another order; open the photos again") from None


def _query_filters(filters: GalleryFilters) -> Filters:
    since, until = filters.times
    return Filters(
        label=None if filters.show in {"", "failed"} else filters.show,
        states=(FAILED,) if filters.show == "failed" else SORTED,
        since=since,
        until=until,
        max_certainty=filters.certainty,
        reviewed=filters.corrected,
        name=filters.pattern,
        sort=filters.order,
    )


def _hints(connection: sa.Connection, filters: GalleryFilters) -> IndexHints:
    return index_hints(connection, _query_filters(filters), _FEW)


def _rows(
    connection: sa.Connection,
    filters: GalleryFilters,
    limit: int,
    *,
    after: Key | None,
    order: Order | None = None,
    hints: IndexHints = NO_HINTS,
) -> list[CardRow]:
    query = select(
        replace(_query_filters(filters), limit=limit),
        connection.dialect.name,
        columns=_COLUMNS,
        order=order,
        after=after,
        hints=hints,
    )
    return _cards(connection, query)


def _cards(connection: sa.Connection, query: "sa.Executable") -> list[CardRow]:
    return [cast(CardRow, dict(row)) for row in connection.execute(query).mappings()]


def _upto(connection: sa.Connection, than: int) -> int:
    """The highest id, among those above `than`, below which no photo is still moving to its folder."""
    p = photos.c
    # In this order: a photo that is recorded between the two queries has a higher id than the last.
    last = connection.execute(sa.select(sa.func.max(p.id))).scalar() or than
    moving = connection.execute(sa.select(sa.func.min(p.id)).where(p.state == FILING, p.id > than)).scalar()
    return last if moving is None else min(last, moving - 1)
