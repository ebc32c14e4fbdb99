"""Reads the rows that may belong to files in the folders of sorted photos."""

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from daemon.actions.facts import RowFacts
from daemon.database.schema import photos, results
from daemon.drags.plan import FOLLOWED
from daemon.photo import DELETED, MISSING
from models import Label
from models.filenames import escape_name

_PAGE_ROWS = 500
_COLUMNS = (
    photos.c.id,
    photos.c.state,
    photos.c.path_bytes,
    photos.c.identity,
    photos.c.sha256,
    photos.c.size_bytes,
    photos.c.modified_at,
    photos.c.error_kind,
)
# Built once: building one takes SQLAlchemy longer than SQLite takes to run it.
_ROWS = sa.select(*_COLUMNS).order_by(photos.c.id)
_FOLLOWED = photos.c.state.in_(FOLLOWED)
_BY_IDENTITY = _ROWS.where(photos.c.identity.in_(sa.bindparam("values", expanding=True)), _FOLLOWED)
_BY_PLACE = _ROWS.where(
    photos.c.name.in_(sa.bindparam("names", expanding=True)),  # there is an index on names
    photos.c.path_bytes.in_(sa.bindparam("values", expanding=True)),
    photos.c.state != DELETED,
)
_BY_DIGEST = _ROWS.where(photos.c.sha256.in_(sa.bindparam("values", expanding=True)), _FOLLOWED)
_PAGE = _ROWS.where(photos.c.id > sa.bindparam("after"), _FOLLOWED).limit(_PAGE_ROWS)
_MISSING_SIZES = (
    sa.select(photos.c.size_bytes)
    .where(photos.c.state == MISSING, photos.c.size_bytes.in_(sa.bindparam("values", expanding=True)))
    .distinct()
)
_LABELS = sa.select(results.c.id, results.c.label).where(results.c.id.in_(sa.bindparam("values", expanding=True)))


class RowFinder:
    """Finds rows by identity, place and bytes; each call is one query."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def by_identity(self, identities: Collection[str]) -> list[RowFacts]:
        """The rows of photos with these identities, in FOLLOWED states."""
        return self._read(_BY_IDENTITY, values=list(identities))

    def by_place(self, places: Collection[bytes]) -> list[RowFacts]:
        """The rows that name these places, in any state but deleted."""
        names = {escape_name(os.path.basename(place)) for place in places}
        return self._read(_BY_PLACE, names=list(names), values=list(places))

    def by_digest(self, digests: Collection[str]) -> list[RowFacts]:
        """The rows of photos with these bytes, in FOLLOWED states."""
        return self._read(_BY_DIGEST, values=list(digests))

    def missing_sizes(self, sizes: Collection[int]) -> set[int]:
        """Those of these sizes (bytes) that a missing photo has."""
        with self._engine.connect() as connection:
            return set(connection.execute(_MISSING_SIZES, {"values": list(sizes)}).scalars()) if sizes else set()

    def labels(self, row_ids: Collection[int]) -> dict[int, Label | None]:
        """The valid labels of photos, by the ids of their rows."""
        with self._engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(_LABELS, {"values": list(row_ids)}).all() if row_ids else ()
            return {row.id: row.label for row in rows}

    def pages(self) -> Iterator[list[RowFacts]]:
        """All rows in FOLLOWED states, by id, in short lists."""
        after = 0
        while page := self._read(_PAGE, after=after):
            yield page
            after = page[-1].id

    def _read(self, query: "sa.Select[Any]", **parameters: Any) -> list[RowFacts]:
        if parameters.get("values", True) == []:
            return []
        with self._engine.connect() as connection:
            rows = connection.execute(query, parameters).all()
        return [RowFacts._make((*facts, error_kind is not None)) for *facts, error_kind in rows]
