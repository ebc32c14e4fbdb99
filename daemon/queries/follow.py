"""Photos as they get their outcomes, for `foodsort results --watch`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from daemon.database import connections
from daemon.database.addresses import DatabaseError
from daemon.database.schema import batches, photos, results
from daemon.photo import FILING
from daemon.queries import results as query
from daemon.queries.results import Filters

_BATCHES = 16  # that are looked at in one transaction
_PHOTOS = 500  # that are asked for by their ids in one question

Row = dict[str, Any]


class Follower:
    """The rows of photos that have an outcome: those that are there, then others as they come, oldest first.

    A photo that is tried again comes once more. A database that is locked, away or made anew is waited for.
    """

    def __init__(
        self, address: sa.URL, filters: Filters, pause: Callable[[], bool], tell: Callable[[DatabaseError], None]
    ) -> None:
        """filters.limit: most of the rows that are there. pause: waits a moment; False: that's all. tell: of trouble, once."""
        self._address, self._filters, self._pause, self._tell = address, filters, pause, tell
        self._engine: sa.Engine | None = None
        self._batch: int | None = None  # the newest of which the photos are known
        self._filing: set[int] = set()  # photos that have no outcome yet, or one that was not told
        self._told: int | None = 0  # of those that were there; None: all

    def __iter__(self) -> Iterator[Row]:
        """The rows; they end when the pauses do."""
        in_trouble = False
        try:
            while True:
                try:
                    with connections.told():
                        yield from self._new()
                    in_trouble = False
                except DatabaseError as error:
                    self._close()
                    if not in_trouble:
                        self._tell(error)
                    in_trouble = True
                if not self._pause():
                    return
        finally:
            self._close()

    def _new(self) -> Iterator[Row]:
        engine = self._engine = self._engine or connections.reading(self._address)
        if self._batch is None:
            with engine.connect() as connection:
                self._filing.update(
                    connection.execute(sa.select(photos.c.id).where(photos.c.state == FILING)).scalars()
                )
                self._batch = _newest_batch(connection)
        if self._told is not None:
            yield from self._there(engine, self._batch)
        more = True
        while more:
            with engine.connect() as connection:  # let go of before a slow reader has taken the rows
                more = self._look(connection, self._batch)
                found = list(self._outcomes(connection))
            yield from found

    def _there(self, engine: sa.Engine, batch: int) -> Iterator[Row]:
        """Those that were there at first; where the last call stopped if that failed."""
        if self._filters.limit is None:
            rows = query.rows(engine, replace(self._filters, sort="oldest"))
        else:
            rows = iter(list(query.rows(engine, self._filters))[::-1])
        old = (row for row in rows if row["batch_id"] <= batch and row["state"] != FILING)
        for row in islice(old, self._told, None):
            self._told = (self._told or 0) + 1
            self._filing.discard(row["id"])
            yield row
        self._told = None

    def _look(self, connection: sa.Connection, known: int) -> bool:
        """Learns of the photos of some newer batches; returns whether there are newer ones yet."""
        newest = _newest_batch(connection)
        if newest < known:  # it is another database, in the place of the one that was there
            known = 0
            self._filing.clear()
        self._batch = min(newest, known + _BATCHES)
        new = sa.select(photos.c.id).where(photos.c.batch_id > known, photos.c.batch_id <= self._batch)
        self._filing.update(connection.execute(new).scalars())
        return self._batch < newest

    def _outcomes(self, connection: sa.Connection) -> Iterator[Row]:
        """The rows of those photos that have an outcome by now."""
        waiting = sorted(self._filing)
        for first in range(0, len(waiting), _PHOTOS):
            some = waiting[first : first + _PHOTOS]
            # With its limit it is a question of its own: no other index than that of the ids is thought of.
            r = sa.select(results).where(results.c.id.in_(some)).limit(len(some)).subquery("r")
            asked = sa.and_(sa.true(), *query.conditions(r.c, self._filters, connection.dialect.name))
            if self._filters.label is not None:
                asked = sa.and_(asked, r.c.label == self._filters.label)
            done = sa.select(r, asked.label("asked")).where(r.c.state != FILING).order_by(r.c.id)
            for found in connection.execute(done).mappings().all():
                row = dict(found)
                self._filing.discard(row["id"])
                if row.pop("asked"):
                    yield row

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None


def _newest_batch(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(batches.c.id))).scalar() or 0
