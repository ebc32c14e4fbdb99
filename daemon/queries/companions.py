"""The companions of the photos that a query finds."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypedDict, cast

import sqlalchemy as sa

from daemon.database.schema import companions, photos
from daemon.queries import results
from daemon.queries.filters import Filters

_CHUNK_PHOTOS = 500


class CompanionRow(TypedDict):
    """A companion and its photo. Times are UTC, ISO 8601 with microseconds."""

    id: int
    photo_id: int
    photo: str
    path: str
    state: str
    inbox_path: str
    size_bytes: int
    sha256: str
    filed_at: str | None


COLUMNS = tuple(CompanionRow.__annotations__)


def rows(engine: sa.Engine, filters: Filters) -> Iterator[CompanionRow]:
    """Yields the companions of the photos that pass the filters, in the photos' order."""
    found = (row["id"] for row in results.rows(engine, filters))
    while ids := list(itertools.islice(found, _CHUNK_PHOTOS)):
        by_photo: dict[int, list[CompanionRow]] = {photo_id: [] for photo_id in ids}
        for row in of_photos(engine, ids):
            by_photo[row["photo_id"]].append(row)
        yield from itertools.chain.from_iterable(by_photo.values())


def of_photos(engine: sa.Engine, photo_ids: Sequence[int]) -> list[CompanionRow]:
    """Returns the companions of photos, by their paths."""
    c = companions.c
    columns = (c.id, c.photo_id, photos.c.path.label("photo"), c.path, c.state, c.inbox_path)
    query = (
        sa.select(*columns, c.size_bytes, c.sha256, c.filed_at)
        .join_from(companions, photos)
        .where(c.photo_id.in_(photo_ids))
        .order_by(c.path_bytes)
    )
    with engine.connect() as connection:
        return [cast(CompanionRow, dict(row)) for row in connection.execute(query).mappings()]
