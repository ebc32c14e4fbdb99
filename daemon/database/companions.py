"""Rows of companions: the files that belong to a photo and move with it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database import original_rows, schema
from daemon.database.connection_guard import transaction
from daemon.database.original_rows import NewOriginal
from daemon.database.rows import PendingRow, claim_columns, path_columns, update_if_state
from daemon.database.schema import companions, photos
from daemon.database.timestamps import format_time
from daemon.photo import (
    DUPLICATE,
    FAILED,
    FILED,
    FILING,
    FOLLOWING,
    MISSING,
    CompanionState,
    State,
)
from models.filenames import escape_name

AT_REST: tuple[State, ...] = (FILED, FAILED, DUPLICATE)
"""States of photos that companions in the inbox follow."""
_MOST_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class CompanionRow:
    """A companion that is about to move to its photo.

    Attributes:
        path: Where it is about to go, relative to the root.
        inbox_path: Where it was, relative to the inbox.
        run_id: The run of the daemon that claimed it; the column is called `generation`.
        original: See `PhotoRow`.

    The other attributes are columns of the same name.
    """

    photo_id: int
    path: bytes
    inbox_path: bytes
    run_id: str
    identity: str
    sha256: str
    size_bytes: int
    modified_at: str
    claimed_at: str
    original: str | None = None

    def columns(self) -> dict[str, Any]:
        """Returns all columns."""
        columns = vars(self) | path_columns(self.path)
        del columns["run_id"], columns["original"]
        return columns | claim_columns(self.run_id, self.inbox_path)


class SortedPhoto(NamedTuple):
    """A photo that a companion may belong to.

    Attributes:
        inbox_path: Where it was, relative to the inbox.
        path: Its place, relative to the root.
        filed_at: When it came there.
    """

    id: int
    state: State
    inbox_path: bytes
    path: bytes
    filed_at: str | None
    error_kind: str | None


class PendingCompanion(PendingRow):
    """The row of a companion that was on its way when the daemon ended."""


_SORTED = sa.select(
    photos.c.id,
    photos.c.state,
    photos.c.inbox_path_bytes,
    photos.c.path_bytes,
    photos.c.filed_at,
    photos.c.error_kind,
)


class CompanionRecorder:
    """Reads and writes rows of companions for one daemon."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._in_use = False

    def photos_in(self, ranges: Iterable[tuple[bytes, bytes]]) -> list[SortedPhoto]:
        """Returns the newest photos whose paths in the inbox are in ranges [low, high) of bytes, newest first."""
        p = photos.c
        within = [sa.and_(p.inbox_path_bytes >= low, p.inbox_path_bytes < high) for low, high in ranges]
        query = _SORTED.where(sa.or_(*within)).order_by(p.id.desc()).limit(_MOST_ROWS)
        with self._engine.connect() as connection:
            return [SortedPhoto._make(row) for row in connection.execute(query)]

    def photo(self, photo_id: int) -> SortedPhoto | None:
        """Returns a photo, None if it has no row any more."""
        with self._engine.connect() as connection:
            row = connection.execute(_SORTED.where(photos.c.id == photo_id)).one_or_none()
        return None if row is None else SortedPhoto._make(row)

    def begin(self, row: CompanionRow, place_in_inbox: bytes) -> int:
        """Records a companion before it moves; returns its id. May be called again.

        One that came back to the inbox with its photo keeps its row.

        Args:
            row: The row.
            place_in_inbox: The place, as rows name it, that it had in the inbox.
        """
        c = companions.c
        same_claim = sa.and_(c.state == FILING, c.generation == row.run_id, c.inbox_path_bytes == row.inbox_path)
        came_back = sa.and_(c.state == FILED, c.path_bytes == place_in_inbox)
        query = sa.select(c.id).where(c.photo_id == row.photo_id, sa.or_(same_claim, came_back)).limit(1)
        with transaction(self._engine) as connection:
            known = connection.execute(query).scalar()
            if known is None:
                insert = companions.insert().values(row.columns()).returning(c.id)
                known = connection.execute(insert).scalar_one()
            else:
                connection.execute(companions.update().where(c.id == known).values(row.columns()))
            if row.original is not None:
                original = NewOriginal(row.inbox_path, row.sha256, row.original)
                original_rows.write(connection, {}, {int(known): original})
            return int(known)

    def move(self, row_id: int, path: bytes) -> None:
        """Records another place for a companion that has not moved yet."""
        self._update(row_id, **path_columns(path))

    def finish(self, row_id: int) -> None:
        """Records that a companion has arrived at the path of its row."""
        self._update(row_id, state=FILED, filed_at=format_time(datetime.now(UTC)))

    def part(self, row_id: int, photo_path: bytes) -> None:
        """Records that a companion arrived at the place `photo_path` of its photo after an action had moved the photo."""
        now = format_time(datetime.now(UTC))
        self._update(row_id, state=FOLLOWING, generation=escape_name(photo_path), filed_at=now)

    def lose(self, row_id: int) -> None:
        """Records that somebody else removed a claimed companion."""
        self._update(row_id, state=MISSING)

    def drop(self, row_id: int) -> None:
        """Removes the row of a companion that goes back to the inbox."""
        o = schema.originals
        with transaction(self._engine) as connection:
            connection.execute(o.delete().where(o.c.companion_id == row_id))
            connection.execute(companions.delete().where(companions.c.id == row_id, companions.c.state == FILING))

    def pending(self) -> list[PendingCompanion]:
        """Returns the rows of companions that were on their way when an earlier run of the daemon ended."""
        c = companions.c
        columns = (c.id, c.path_bytes, c.inbox_path_bytes, c.generation, c.identity, c.sha256)
        query = sa.select(*columns).where(c.state == FILING).order_by(c.id)
        with self._engine.connect() as connection:
            return [_pending(row) for row in connection.execute(query)]

    def in_use(self) -> bool:
        """Whether there is or was any companion."""
        if not self._in_use:
            with self._engine.connect() as connection:
                self._in_use = connection.execute(sa.select(companions.c.id).limit(1)).first() is not None
        return self._in_use

    def _update(self, row_id: int, **values: Any) -> None:
        filing: tuple[CompanionState, ...] = (FILING,)
        with transaction(self._engine) as connection:
            update_if_state(connection, row_id, filing, table=companions, **values)


def mark_following(connection: sa.Connection, photo_id: int, photo_path: bytes) -> None:
    """Records that the companions at a photo's place follow it to another one, from the same transaction on."""
    c = companions.c
    connection.execute(
        companions.update()
        .where(c.photo_id == photo_id, c.state == FILED)
        .values(state=FOLLOWING, generation=escape_name(photo_path))
    )


def _pending(row: Any) -> PendingCompanion:
    return PendingCompanion(
        id=row.id,
        path=row.path_bytes,
        inbox_path=row.inbox_path_bytes,
        run_id=os.fsencode(row.generation),
        identity=row.identity,
        sha256=row.sha256,
    )
