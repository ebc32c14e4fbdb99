"""Originals in the inbox, seen from the copies that actions remove."""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.actions.locate import CannotMove
from daemon.database.rows import path_columns
from daemon.database.timestamps import format_mtime
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.inbox.claims import Claims
from daemon.queries.photo_rows import Photo
from models.filenames import escape_name

CHANGED_COPY = "was changed after it was sorted; its original in the inbox lacks the change, so the copy stays"


class OnlyCopy(CannotMove):
    """Raised when a copy is the only file of its bytes, so that it is not removed."""


class FoundOriginal(NamedTuple):
    """An original with the bytes of its copy. path: relative to the inbox."""

    path: bytes
    stat: os.stat_result


class OriginalFinder:
    """Finds the originals of copied photos, or of copied companions."""

    def __init__(
        self,
        destinations: DestinationFolders,
        claims: Claims,
        engine: sa.Engine,
        owner: "sa.Column[int | None]",
    ) -> None:
        """Looks at nothing yet.

        Args:
            destinations: The folders.
            claims: The open inbox.
            engine: The database.
            owner: The column of `originals` that names the copies' rows: `photo_id` or `companion_id`.
        """
        self._destinations = destinations
        self._claims = claims
        self._engine = engine
        self._owner = owner

    def copied(self, row_ids: Iterable[int]) -> set[int]:
        """Returns the ids of those rows that are of copies."""
        query = sa.select(self._owner).where(self._owner.in_(list(row_ids)))
        with self._engine.connect() as connection:
            return {int(row_id) for row_id in connection.execute(query).scalars() if row_id is not None}

    def find(self, copied: Photo) -> FoundOriginal | None:
        """Returns the original of a photo or companion if it has the same bytes, else None. Raises OSError."""
        o = self._owner.table.c
        query = sa.select(o.inbox_path_bytes).where(self._owner == copied.id).order_by(o.id.desc())
        with self._engine.connect() as connection:
            paths = list(connection.execute(query).scalars())
        for path in paths:
            parent, name = dirfd.split(path)
            try:
                with dirfd.open_folder(self._claims.inbox_fd, parent) as folder:
                    original = Entry(folder, name)
                    stat = original.stat()
                    if dirfd.is_regular(stat) and (copied.looks_like(stat) or original.sha256() == copied.sha256):
                        return FoundOriginal(path, stat)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None

    def require(self, copied: Photo) -> FoundOriginal:
        """Returns the original of a photo or companion. Raises OnlyCopy, CannotMove."""
        try:
            found = self.find(copied)
        except OSError as error:
            raise CannotMove(f"stays, as its original in the inbox cannot be read: {error.strerror}") from error
        if found is None:
            raise OnlyCopy("is the only copy: its original in the inbox was removed or changed; it stays")
        return found

    def columns(self, copied: Photo) -> dict[str, Any]:
        """Returns the columns that name the original as the place of a photo whose copy was removed. Raises OSError."""
        found = self.find(copied)
        path = copied.inbox_path if found is None else found.path
        columns = path_columns(self._destinations.place_in_inbox(path))
        columns |= {"inbox_path_bytes": path, "inbox_path": escape_name(path)}
        if found is not None:
            columns["identity"] = self._claims.stamp_of(path, found.stat).identity
            columns["modified_at"] = format_mtime(found.stat.st_mtime_ns)
        return columns
