"""Reads photos in the order in which they came to rest or got labels, from a position that a program has kept."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database import connections, snapshot
from daemon.database.addresses import DatabaseError, display
from daemon.database.schema import changes, roots
from daemon.photo import MOVING
from daemon.queries import outcomes
from daemon.queries.filters import Filters
from daemon.queries.polling import poll
from daemon.queries.positions import Position
from daemon.queries.results import ResultRow

_CHANGES = 500  # read in one transaction
_Change = tuple[int, int]
"""The id of a change, and that of its photo."""


class OtherDatabase(Exception):
    """Raised when a position does not belong to the database. The message says why, to follow the position's name."""


class Step(NamedTuple):
    """One change.

    Attributes:
        position: The position after it.
        row: The photo as it is now; None if it does not pass the filters, is moving, or has a later change on the page.
    """

    position: Position
    row: ResultRow | None


class ChangeReader:
    """The changes after a position, then new ones as they come. Each photo comes at least once after its last change.

    A database that is locked, missing or away is waited for.
    """

    def __init__(
        self,
        address: sa.URL,
        filters: Filters,
        position: Position,
        pause: Callable[[float], bool],
        on_error: Callable[[DatabaseError], None],
    ) -> None:
        """Opens nothing yet.

        Args:
            address: The database.
            filters: Decide which photos come as rows; the limit does not count.
            position: Where the last reading stopped.
            pause: Waits for so many seconds; False ends the reading.
            on_error: Called once when the database cannot be read, until it can be again.
        """
        self._address = address
        self._filters = filters
        self._position = position
        self._pause = pause
        self._on_error = on_error
        self._engine: sa.Engine | None = None

    def __iter__(self) -> Iterator[Step]:
        """Returns the steps until `pause` returns False. They raise OtherDatabase."""
        return poll(self._new_steps, self._close, self._pause, self._on_error)

    def _new_steps(self) -> Iterator[Step]:
        engine = self._engine = self._engine or connections.connect_to_read(self._address)
        while True:
            read = partial(_page, filters=self._filters, position=self._position)
            page = snapshot.read_snapshot(engine, read)  # ends before a slow reader has taken the rows
            for step in page:
                self._position = step.position
                yield step
            if len(page) < _CHANGES:
                return

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None


def database_id(connection: sa.Connection) -> str:
    """Returns what tells a database from every other one: its root, and the time at which it became that root's.

    Raises:
        DatabaseError: It belongs to no root yet.
    """
    row = connection.execute(sa.select(roots.c.root_id, roots.c.first_used_at)).first()
    if row is None:
        address = display(connection.engine.url)
        raise DatabaseError(f"the database {address} belongs to no root yet; `foodsort run` registers its root")
    return f"{row.root_id} {row.first_used_at}"


def _page(connection: sa.Connection, filters: Filters, position: Position) -> list[Step]:
    """Reads the next changes, and those photos. Raises OtherDatabase."""
    position = position._replace(database=_checked(connection, position))
    page = [*_missing(connection, position), *_new(connection, position)][:_CHANGES]
    last = {photo: change for change, photo in page}
    passing = {row["id"]: row for row, passes in outcomes.read(connection, sorted(last), filters, MOVING) if passes}
    steps = []
    for change, photo in page:
        position = position.after(change, photo, in_order=connection.dialect.name == "sqlite")
        steps.append(Step(position, passing.get(photo) if last[photo] == change else None))
    return steps


def _checked(connection: sa.Connection, position: Position) -> str:
    """Returns the id of the database if the position belongs to it. Raises OtherDatabase."""
    own = database_id(connection)
    if position.database not in {"", own}:
        raise OtherDatabase("belongs to another database")
    photo = connection.execute(sa.select(changes.c.photo_id).where(changes.c.id == position.change)).scalar()
    if position.change and photo != position.photo:
        raise OtherDatabase("is newer than the database, of which an older copy was restored")
    return own


def _missing(connection: sa.Connection, position: Position) -> list[_Change]:
    """The changes of transactions that were committed after others with higher ids."""
    if not position.missing:
        return []
    ranges = (changes.c.id.between(first, last) for first, last in position.missing)
    return _read(connection, sa.or_(*ranges))


def _new(connection: sa.Connection, position: Position) -> list[_Change]:
    return _read(connection, changes.c.id > position.change)


def _read(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[_Change]:
    query = sa.select(changes.c.id, changes.c.photo_id).where(condition).order_by(changes.c.id).limit(_CHANGES)
    return [(change, photo) for change, photo in connection.execute(query)]
