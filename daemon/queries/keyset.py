"""Keyset pagination: a page begins after the values of a row, so that every page is as quick as the first."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import results

Key = Mapping[str, Any]
"""The values of the order's columns at a row, such as the row itself."""


class Order(NamedTuple):
    """An order of the rows of the view `results`.

    Attributes:
        columns: The columns of the order; no row may have NULL in them. The last one is unique.
        descending: Whether the highest values come first.
    """

    columns: tuple[str, ...]
    descending: bool = False

    def reversed(self) -> "Order":
        """The opposite order."""
        return self._replace(descending=not self.descending)

    def clauses(self, dialect: str) -> list["sa.ColumnElement[Any]"]:
        """The names of the columns to order by. dialect: SQLAlchemy's name for the kind of database."""
        return [self._clause(name, dialect) for name in self.columns]

    def after(self, key: Key, dialect: str) -> "sa.ColumnElement[bool]":
        """The condition that a row comes after the one with this key."""
        comparison = "<" if self.descending else ">"
        *first, last = self.columns
        after: sa.ColumnElement[bool] = results.c[last].op(comparison, is_comparison=True)(key[last])
        for name in reversed(first):
            column = results.c[name]
            by_code_points = "~" if _is_by_code_points(name, dialect) else ""
            # This condition alone tells the database where to begin in the index.
            at_or_after = column.op(f"{by_code_points}{comparison}={by_code_points}", is_comparison=True)(key[name])
            after = sa.and_(at_or_after, sa.or_(column != key[name], after))
        return after

    def _clause(self, name: str, dialect: str) -> "sa.ColumnElement[Any]":
        if _is_by_code_points(name, dialect):
            return sa.literal_column(f"{name} USING {'~>~' if self.descending else '~<~'}")
        return sa.desc(name) if self.descending else sa.asc(name)


BY_ID = Order(("id",))
"""Lowest id first."""


def _is_by_code_points(name: str, dialect: str) -> bool:
    """Whether a column needs the order of its index on PostgreSQL, which is that of code points, as in SQLite."""
    return name == "name" and dialect == "postgresql"
