"""Rows of the view `results` by their ids, as they are now."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, cast

import sqlalchemy as sa

from daemon.database.schema import results
from daemon.photo import State
from daemon.queries.filters import Filters, conditions
from daemon.queries.results import ResultRow

_PHOTOS = 500  # read by their ids in one query


class Outcome(NamedTuple):
    """A row, and whether it passes the filters."""

    row: ResultRow
    passes: bool


def read(
    connection: sa.Connection, ids: Sequence[int], filters: Filters, moving: Collection[State]
) -> Iterator[Outcome]:
    """Yields the rows of photos, except those in the states `moving`, in the order of the ids.

    Args:
        connection: The database.
        ids: Ids of the photos, ascending.
        filters: Decide which rows pass; the limit does not count.
        moving: States of photos that have no outcome yet.
    """
    for first in range(0, len(ids), _PHOTOS):
        chunk = ids[first : first + _PHOTOS]
        # The limit makes it a query of its own, so that no index but that of the ids is considered.
        r = sa.select(results).where(results.c.id.in_(chunk)).limit(len(chunk)).subquery("r")
        passes = sa.and_(sa.true(), *conditions(r.c, filters, connection.dialect.name))
        if filters.label is not None:
            passes = sa.and_(passes, r.c.label == filters.label)
        query = sa.select(r, passes.label("passes")).where(r.c.state.not_in(moving)).order_by(r.c.id)
        for columns in connection.execute(query).mappings().all():
            row = dict(columns)
            passed = bool(row.pop("passes"))  # NULL where a condition compares a value that the photo lacks
            yield Outcome(cast(ResultRow, row), passed)
