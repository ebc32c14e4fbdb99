"""Questions that the page asks the database, each quick with a million rows: they go on from a photo, never by number."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos, results, reviews
from daemon.database.timestamps import format_time
from daemon.photo import CORRECTING, DUPLICATE, FAILED, FILED, FILING
from daemon.queries.results import is_few, labelled, of_label
from daemon.web.filters import FilterError, GalleryFilters

PAGE = 60
"""Photos that come at a time."""
LAST_ID = 2**63 - 1
"""No database has a higher id."""
MANY = 1000
"""Where counting ends."""
_FEW = 10_000
"""Most photos that are found by a filter's index and then sorted; of more, going through all in order soon meets enough."""

Row = sa.RowMapping

SORTED = (FILED, CORRECTING, DUPLICATE)
"""States of the photos that have a label and lie at their places."""
_CARD = (
    *("id", "name", "path", "sha256", "label", "predicted_label", "corrected_label", "probability", "certainty"),
    *("state", "classified_at", "error_kind", "error_message", "attempts", "size_bytes", "first_failed_at"),
)


class Page(NamedTuple):
    """Photos in order. more: whether others may follow. upto: no photo up to this id will come as a newer one."""

    rows: Sequence[Row]
    more: bool = False
    upto: int = 0


class Gallery:
    """Asks through an engine of `database.reading`, whose every use opens the database anew."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(self, wanted: GalleryFilters, after: str = "") -> Page:
        """The first photos, or those that follow the one with this key. Raises FilterError."""
        edge = _beyond(wanted, _values(wanted, after)) if after else []
        with self._engine.connect() as connection:
            upto = 0 if after else _upto(connection, 0)  # first: what comes meanwhile is asked for again
            edge += _few(connection, wanted)
            found = _rows(connection, _select(wanted, connection.dialect.name, edge, PAGE + 1))
        return Page(found[:PAGE], len(found) > PAGE, upto)

    def newer(self, wanted: GalleryFilters, than: int) -> Page:
        """Photos that came after an id and are at their places, oldest first."""
        r = results.c
        with self._engine.connect() as connection:
            upto = _upto(connection, than)
            new = sa.select(r.id).where(r.id > than).exists()
            if not connection.execute(sa.select(new)).scalar():
                return Page([], upto=upto)
            query = _select(wanted, connection.dialect.name, [r.id > than], PAGE + 1, by_id=True)
            found = _rows(connection, query)
        if len(found) > PAGE:
            return Page(found[:PAGE], True, found[PAGE - 1]["id"])
        return Page(found, upto=upto)

    def photo(self, photo_id: int) -> Row | None:
        """All that is known of one photo."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(results).where(results.c.id == photo_id)).mappings().first()

    def beside(self, wanted: GalleryFilters, row: Row) -> tuple[Row | None, Row | None]:
        """The photos before and after one, of those that are wanted."""
        try:
            values = _values(wanted, key(wanted, row))
        except FilterError:  # without a certainty, or a time, it has no place in the order
            return None, None
        with self._engine.connect() as connection:
            kind, few = connection.dialect.name, _few(connection, wanted)
            before = _select(wanted, kind, [*few, *_beyond(wanted, values, back=True)], 1, back=True)
            after = _select(wanted, kind, [*few, *_beyond(wanted, values)], 1)
            return next(iter(_rows(connection, before)), None), next(iter(_rows(connection, after)), None)

    def cards(self, ids: Sequence[int]) -> list[Row]:
        """These photos as they are now, newest first."""
        r = results.c
        query = sa.select(*(r[name] for name in _CARD)).where(r.id.in_(ids)).order_by(r.id.desc())
        with self._engine.connect() as connection:
            return _rows(connection, query)

    def failed(self) -> int:
        """How many photos failed, up to MANY."""
        with self._engine.connect() as connection:
            some = sa.select(photos.c.id).where(photos.c.state == FAILED).limit(MANY).subquery()
            return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def key(wanted: GalleryFilters, row: Row) -> str:
    """Where a photo stands in the order; what follows is asked for by it."""
    before = [repr(row[name]) if name == "certainty" else str(row[name]) for name in _columns(wanted)[:-1]]
    return "~".join([*before, str(row["id"])])


def _columns(wanted: GalleryFilters) -> tuple[str, ...]:
    """What photos are sorted by."""
    if wanted.order == "certainty":
        return "certainty", "id"
    return ("classified_at", "id") if any(wanted.times) else ("id",)


def _values(wanted: GalleryFilters, after: str) -> tuple[Any, ...]:
    *first, last = after.split("~")
    try:
        if "\0" in after or len(first) + 1 != len(_columns(wanted)) or not 0 <= int(last) <= LAST_ID:
            raise ValueError
        return (*(float(value) if wanted.order == "certainty" else value for value in first), int(last))
    except ValueError:
        raise FilterError("this address leads on from a photo in another order; look at the photos anew") from None


def _beyond(wanted: GalleryFilters, values: tuple[Any, ...], *, back: bool = False) -> list["sa.ColumnElement[bool]"]:
    """What comes after a place in the order, or before it."""
    columns = [results.c[name] for name in _columns(wanted)]
    rising = (wanted.order == "certainty") != back
    if len(columns) == 1:
        return [columns[0] > values[0] if rising else columns[0] < values[0]]
    # An index begins with the first column; that is what narrows the search.
    near = columns[0] >= values[0] if rising else columns[0] <= values[0]
    pair, place = sa.tuple_(*columns), sa.tuple_(*(sa.literal(value) for value in values))
    return [near, pair > place if rising else pair < place]


def _select(
    wanted: GalleryFilters,
    dialect: str,
    edge: list["sa.ColumnElement[bool]"],
    limit: int,
    *,
    back: bool = False,
    by_id: bool = False,
) -> "sa.Select[Any] | sa.CompoundSelect[Any]":
    """Rows for cards. back: in the opposite order. by_id: lowest id first, whatever the order."""
    r = results.c
    query = sa.select(*(r[name] for name in _CARD)).where(*edge, *_filters(wanted, dialect))
    names = ("id",) if by_id else _columns(wanted)
    rising = by_id or (wanted.order == "certainty") != back
    order: list[sa.UnaryExpression[Any]] = [sa.asc(name) if rising else sa.desc(name) for name in names]
    if wanted.show in {"", "failed"}:
        return query.order_by(*order).limit(limit)
    if wanted.order == "certainty" and dialect == "sqlite":
        # The index to use is that of the order, and SQLite would take that of the label; where few have it, see `_few`.
        return query.where(r.label == wanted.show).order_by(*order).limit(limit)
    return of_label(query, wanted.show, order, limit, dialect)


def _filters(wanted: GalleryFilters, dialect: str) -> list["sa.ColumnElement[bool]"]:
    r = results.c
    said: list[sa.ColumnElement[bool]] = []
    if wanted.show == "failed":
        said.append(r.state == FAILED)
    else:
        said.append(_by_no_index(r.state, dialect).in_(SORTED))
    since, until = wanted.times
    if since:
        said.append(r.classified_at >= format_time(since))
    if until:
        said.append(r.classified_at < format_time(until))
    if wanted.order == "certainty":
        said.append(r.certainty.is_not(None))
    if wanted.certainty is not None:
        said.append(r.certainty <= wanted.certainty)
    if wanted.corrected:
        said.append(r.id.in_(sa.select(reviews.c.photo_id)))
    if wanted.name:
        said.append(_named(_by_no_index(r.name, dialect), wanted.name, dialect))
    return said


def _by_no_index(column: "sa.ColumnElement[str]", dialect: str) -> "sa.ColumnElement[str]":
    """A column by whose index SQLite is not to find rows: of the many that it found all would have to be sorted. See `_few`."""
    return sa.func.coalesce(column, "") if dialect == "sqlite" else column


def _few(connection: sa.Connection, wanted: GalleryFilters) -> list["sa.ColumnElement[bool]"]:
    """Conditions by which SQLite finds the photos of those filters that few pass; PostgreSQL knows by itself how many do."""
    if connection.dialect.name != "sqlite":
        return []
    p = photos.c
    narrow: list[sa.Select[Any] | sa.CompoundSelect[Any]] = []
    if wanted.name:
        narrow.append(sa.select(p.id).where(_named(p.name, wanted.name, "sqlite")))
    if wanted.certainty is not None:
        certainty: sa.ColumnElement[float] = sa.literal_column("0.5 + abs(probability - 0.5)")  # as the index has it
        narrow.append(sa.select(p.id).where(certainty <= wanted.certainty))
    if wanted.order == "certainty" and wanted.show in {"food", "non_food", "unsure"}:
        narrow.append(labelled(wanted.show))
    return [results.c.id.in_(ids) for ids in narrow if is_few(connection, ids, _FEW)]


def _named(column: "sa.ColumnElement[str]", name: str, dialect: str) -> "sa.ColumnElement[bool]":
    """Names of a pattern with * and ?, or that begin so where there is neither. Capitals and small letters are told apart."""
    pattern = name if re.search(r"[*?]", name) else name + "*"
    if dialect == "sqlite":
        return column.op("GLOB")(pattern.replace("[", "[[]"))
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return column.like(escaped.replace("*", "%").replace("?", "_"))


def _upto(connection: sa.Connection, than: int) -> int:
    """The last id before which no photo is on its way to its place any more, of those after `than`."""
    p = photos.c
    # In this order: a photo that begins its way between the two is then after the last.
    last = connection.execute(sa.select(sa.func.max(p.id))).scalar() or than
    moving = connection.execute(sa.select(sa.func.min(p.id)).where(p.state == FILING, p.id > than)).scalar()
    return last if moving is None else min(last, moving - 1)


def _rows(connection: sa.Connection, query: "sa.Executable") -> list[Row]:
    return list(connection.execute(query).mappings())
