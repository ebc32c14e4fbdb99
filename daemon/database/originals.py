"""Rows of originals: the files in the inbox that stay there while their copies are sorted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.connection_guard import transaction
from daemon.database.original_rows import NewOriginal, write
from daemon.database.schema import companions, originals, photos
from daemon.photo import FILING, UNDONE, State
from models.filenames import escape_name

_MOST_ROWS = 8
"""Most originals of the same bytes that are looked for: a camera may send one black picture a million times."""

# Built once: building one takes SQLAlchemy longer than SQLite takes to run it.
_ROWS = sa.select(
    originals.c.id,
    originals.c.inbox_path_bytes,
    originals.c.sha256,
    originals.c.stamp,
    originals.c.photo_id,
    photos.c.state,
    companions.c.path_bytes,
).select_from(
    originals.outerjoin(photos, photos.c.id == originals.c.photo_id).outerjoin(
        companions, companions.c.id == originals.c.companion_id
    )
)
_AT_PATHS = _ROWS.where(originals.c.inbox_path_bytes.in_(sa.bindparam("paths", expanding=True)))
_OF_BYTES = _ROWS.where(originals.c.sha256 == sa.bindparam("sha256")).order_by(originals.c.id.desc()).limit(_MOST_ROWS)


class Original(NamedTuple):
    """A file in the inbox whose copy was sorted.

    Attributes:
        path: Its path when it was last seen, relative to the inbox.
        sha256: Digest of the bytes that were copied.
        stamp: `FileStamp.text` of the file with these bytes; empty if it is unknown.
        photo_id: The photo that the copy became; None for a companion.
        state: State of that photo.
        companion_place: Place of the companion that the copy became, as rows name places; None for a photo.
    """

    id: int
    path: bytes
    sha256: str
    stamp: str
    photo_id: int | None
    state: State | None
    companion_place: bytes | None


class OriginalRecorder:
    """Reads and writes rows of originals for one daemon. A dry run writes none."""

    def __init__(self, engine: sa.Engine, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._dry_run = dry_run

    def exist(self) -> bool:
        """Whether there is any row."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(originals.c.id).limit(1)).first() is not None

    def at_paths(self, paths: list[bytes]) -> list[Original]:
        """Returns the rows of files at these paths, one for each content that a file there had."""
        with self._engine.connect() as connection:
            return [Original._make(row) for row in connection.execute(_AT_PATHS, {"paths": paths})]

    def of_bytes(self, sha256: str) -> list[Original]:
        """Returns the newest rows of files with these bytes, wherever they were."""
        with self._engine.connect() as connection:
            return [Original._make(row) for row in connection.execute(_OF_BYTES, {"sha256": sha256})]

    def of_photo(self, photo_id: int) -> list[Original]:
        """Returns the rows of the originals of a photo, newest first."""
        query = _ROWS.where(originals.c.photo_id == photo_id).order_by(originals.c.id.desc())
        with self._engine.connect() as connection:
            return [Original._make(row) for row in connection.execute(query)]

    def adopt(self, photo_id: int, original: NewOriginal) -> None:
        """Records that a file is the original of a sorted photo."""
        if not self._dry_run:
            with transaction(self._engine) as connection:
                write(connection, {photo_id: original})

    def see_again(self, row_id: int, path: bytes, stamp: str, undone: Mapping[str, Any]) -> None:
        """Records path and stamp of an original that was touched or renamed.

        Args:
            row_id: Its row.
            path: Its path in the inbox.
            stamp: See `Original`.
            undone: Columns for the row of its photo if that is undone, so that it is in the inbox.
        """
        if self._dry_run:
            return
        columns = {"inbox_path_bytes": path, "inbox_path": escape_name(path)}
        of_row = sa.select(originals.c.photo_id).where(originals.c.id == row_id).scalar_subquery()
        with transaction(self._engine) as connection:
            connection.execute(originals.update().where(originals.c.id == row_id).values(stamp=stamp, **columns))
            # One in flight is found by the path that it was claimed from.
            at_rest = sa.and_(photos.c.id == of_row, photos.c.state != FILING)
            connection.execute(photos.update().where(at_rest).values(columns))
            is_undone = sa.and_(photos.c.id == of_row, photos.c.state == UNDONE)
            connection.execute(photos.update().where(is_undone).values(**undone))
