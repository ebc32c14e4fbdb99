"""A photo by its row, as the actions on sorted photos need it."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos
from daemon.database.timestamps import is_same_mtime
from daemon.fs import dirfd
from daemon.photo import CORRECTING, DUPLICATE, FAILED, FILED, FILING, OTHER, State
from models.filenames import escape_name

_CHUNK_PHOTOS = 64
_PRESENT = (FILING, FILED, CORRECTING, FAILED, DUPLICATE, OTHER)
"""States of photos that are at their places, or will be."""


class Photo(NamedTuple):
    """A photo's row, as far as actions need it.

    Attributes:
        path: Its place, in bytes as the row has it: relative to the root, or absolute outside of it.
        inbox_path: The path in the inbox that it came from, relative to the inbox.
        identity: Device and inode.
        batch_id: Batch of its latest classification. Batches are numbered in order, whatever the clock says.
    """

    id: int
    state: State
    path: bytes
    inbox_path: bytes
    identity: str
    sha256: str
    size_bytes: int
    modified_at: str
    error_kind: str | None
    filed_at: str | None
    batch_id: int

    def looks_like(self, stat: os.stat_result) -> bool:
        """Whether a file is regular and has the size and modification time of the row."""
        same_size = stat.st_size == self.size_bytes
        return dirfd.is_regular(stat) and same_size and is_same_mtime(stat.st_mtime_ns, self.modified_at)


def columns_of(table: sa.Table) -> tuple["sa.ColumnElement[Any]", ...]:
    """Returns the columns of a `Photo`, in its order, of photos or companions."""
    c = table.c
    error_kind = c.error_kind if "error_kind" in c else sa.literal(None)
    batch_id = c.batch_id if "batch_id" in c else sa.literal(0)
    return (
        c.id,
        c.state,
        c.path_bytes,
        c.inbox_path_bytes,
        c.identity,
        c.sha256,
        c.size_bytes,
        c.modified_at,
        error_kind,
        c.filed_at,
        batch_id,
    )


COLUMNS = columns_of(photos)
"""The columns of a `Photo`, in its order."""


def reload(engine: sa.Engine, photo: Photo) -> Photo:
    """Reads a photo's row again."""
    with engine.connect() as connection:
        return Photo._make(connection.execute(sa.select(*COLUMNS).where(photos.c.id == photo.id)).one())


def newest(engine: sa.Engine, states: Sequence[State], limit: int) -> list[Photo]:
    """The newest photos in these states, at most `limit`."""
    query = sa.select(*COLUMNS).where(photos.c.state.in_(states)).order_by(photos.c.id.desc()).limit(limit)
    with engine.connect() as connection:
        return [Photo._make(row) for row in connection.execute(query)]


def in_chunks(photos: Iterable[Photo]) -> Iterator[list[Photo]]:
    """Photos in lists short enough for one transaction each."""
    remaining = iter(photos)
    while chunk := list(itertools.islice(remaining, _CHUNK_PHOTOS)):
        yield chunk


def is_recorded(engine: sa.Engine, located: Photo) -> bool:
    """Whether the file of a located photo is the one that another photo's row describes."""
    p = photos.c
    same_file = sa.and_(
        p.identity == located.identity,
        p.size_bytes == located.size_bytes,
        p.modified_at == located.modified_at,
        p.id != located.id,
    )
    query = sa.select(p.id).where(same_file, p.state.in_(_PRESENT)).limit(1)
    with engine.connect() as connection:
        return connection.execute(query).first() is not None


def is_place_reused(engine: sa.Engine, photo: Photo) -> bool:
    """Whether another photo came to a photo's place later."""
    p = photos.c
    name = escape_name(os.path.basename(photo.path))  # there is an index on it
    same_place = sa.and_(p.name == name, p.path_bytes == photo.path, p.id != photo.id)
    present = p.state.in_(_PRESENT)
    # By number and not by time: the clock may have been set back.
    newer = sa.tuple_(p.batch_id, p.id) > sa.tuple_(sa.literal(photo.batch_id), sa.literal(photo.id))
    later = sa.or_(p.state.in_((FILING, CORRECTING)), newer)
    query = sa.select(p.id).where(same_place, present, later).limit(1)
    with engine.connect() as connection:
        return connection.execute(query).first() is not None
