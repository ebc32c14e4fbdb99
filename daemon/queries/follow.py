"""Yields photos as they get their outcomes, for `foodsort results --watch`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import sqlalchemy as sa

from daemon.database import connections
from daemon.database.addresses import DatabaseError
from daemon.database.schema import batches, photos, reclassifications
from daemon.photo import FILING
from daemon.queries import outcomes
from daemon.queries import results as query
from daemon.queries.filters import Filters
from daemon.queries.polling import poll
from daemon.queries.results import ResultRow

_BATCHES = 16  # read in one transaction


class Follower:
    """The rows of photos that have an outcome: first the existing ones, then new ones as they come, oldest first.

    A photo that is sorted or classified again comes again. A database that is locked, missing, away or replaced is
    waited for.
    """

    def __init__(
        self,
        address: sa.URL,
        filters: Filters,
        pause: Callable[[float], bool],
        on_error: Callable[[DatabaseError], None],
    ) -> None:
        """Opens nothing yet.

        Args:
            address: The database.
            filters: The limit is that of existing rows.
            pause: Waits for so many seconds; False ends the rows.
            on_error: Called once when the database cannot be read, until it can be again.
        """
        self._address = address
        self._filters = filters
        self._pause = pause
        self._on_error = on_error
        self._engine: sa.Engine | None = None
        self._newest_batch: int | None = None  # the newest batch whose photos have been read
        self._pending: set[int] = set()  # photos without an outcome, or with one that has not been yielded
        self._existing_yielded: int | None = 0  # of the existing rows; None: all

    def __iter__(self) -> Iterator[ResultRow]:
        """Returns the rows until `pause` returns False."""
        return poll(self._new_rows, self._close, self._pause, self._on_error)

    def _new_rows(self) -> Iterator[ResultRow]:
        engine = self._engine = self._engine or connections.connect_to_read(self._address)
        if self._newest_batch is None:
            with engine.connect() as connection:
                filing = connection.execute(sa.select(photos.c.id).where(photos.c.state == FILING)).scalars()
                self._pending.update(filing)
                self._newest_batch = _newest_batch(connection)
        if self._existing_yielded is not None:
            yield from self._existing_rows(engine, self._newest_batch)
        has_more = True
        while has_more:
            with engine.connect() as connection:  # ends before a slow reader has taken the rows
                has_more = self._read_batches(connection, self._newest_batch)
                rows = list(self._outcomes(connection))
            yield from rows

    def _existing_rows(self, engine: sa.Engine, newest_batch: int) -> Iterator[ResultRow]:
        """Yields the rows that existed at first; continues where the last call failed."""
        if self._filters.limit is None:
            rows = query.rows(engine, replace(self._filters, sort="oldest"))
        else:
            rows = iter(list(query.rows(engine, self._filters))[::-1])
        existing = (row for row in rows if row["batch_id"] <= newest_batch and row["state"] != FILING)
        for row in islice(existing, self._existing_yielded, None):
            self._existing_yielded = (self._existing_yielded or 0) + 1
            self._pending.discard(row["id"])
            yield row
        self._existing_yielded = None

    def _read_batches(self, connection: sa.Connection, last_read: int) -> bool:
        """Adds the photos of the next batches to the pending ones; returns whether there are further batches."""
        newest = _newest_batch(connection)
        if newest < last_read:  # another database has replaced the one that was read before
            last_read = 0
            self._pending.clear()
        self._newest_batch = min(newest, last_read + _BATCHES)
        previous = reclassifications.c.previous_batch_id
        # `reclassify` may have moved photos of these batches to one that was read before.
        for photo_id, batch_id in ((photos.c.id, photos.c.batch_id), (reclassifications.c.photo_id, previous)):
            in_batches = sa.and_(batch_id > last_read, batch_id <= self._newest_batch)
            self._pending.update(connection.execute(sa.select(photo_id).where(in_batches)).scalars())
        return self._newest_batch < newest

    def _outcomes(self, connection: sa.Connection) -> Iterator[ResultRow]:
        """The rows of those pending photos that have an outcome now and pass the filters."""
        for row, passes in outcomes.read(connection, sorted(self._pending), self._filters, [FILING]):
            self._pending.discard(row["id"])
            if passes:
                yield row

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None


def _newest_batch(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(batches.c.id))).scalar() or 0
