"""Whether a photo lies where its row says."""

import os
from typing import Any

import sqlalchemy as sa

from daemon.actions.restore import CannotMove, InboxRestorer, SourceChanged
from daemon.database.timestamps import format_mtime
from daemon.fs import dirfd
from daemon.queries.selection import Photo, elsewhere


class PhotoLocator:
    """Looks for photos at the places that their rows name."""

    def __init__(self, way: InboxRestorer, engine: sa.Engine) -> None:
        self._way, self._engine = way, engine

    def stat(self, photo: Photo) -> os.stat_result:
        """stat of a photo at its place. Raises SourceChanged when it is not there, or no longer that photo, and CannotMove."""
        stat = self._way.stat(photo)
        if not self.lies_there(photo, arrived=False):
            raise SourceChanged("is no longer the photo that was put there")
        return stat

    def lies_there(self, photo: Photo, *, arrived: bool) -> bool:
        """Whether a photo lies at its place, as a copy if it has `arrived` where it was going, too.

        Raises CannotMove when that cannot be told.
        """
        try:
            stat = self._way.stat(photo)
        except CannotMove:
            return False
        same = dirfd.identity(stat) == photo.identity
        # An inode is soon given to another file. A failed photo may have been mended where it lies.
        if same and (photo.looks_like(stat) or photo.error_kind):
            return True
        # What only has the same bytes may be another photo, which came to the place when this one had left it.
        return self._way.has_its_bytes(photo, arrived=arrived) and (same or not elsewhere(self._engine, photo))


def facts(stat: os.stat_result) -> dict[str, Any]:
    """Columns by which a photo is known at its place."""
    return {"identity": dirfd.identity(stat), "size_bytes": stat.st_size, "modified_at": format_mtime(stat.st_mtime_ns)}
