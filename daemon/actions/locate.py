"""Checks whether a photo is still at the place that its row names."""

import os
from typing import Any

import sqlalchemy as sa

from daemon.actions.restore import CannotMove, InboxRestorer, SourceChanged
from daemon.database.timestamps import format_mtime
from daemon.fs import dirfd
from daemon.queries.photo_rows import Photo, is_place_reused, is_recorded


class PhotoLocator:
    """Looks for photos at the places that their rows name."""

    def __init__(self, restorer: InboxRestorer, engine: sa.Engine) -> None:
        self._restorer = restorer
        self._engine = engine

    def locate(self, photo: Photo) -> Photo:
        """A photo at its place, with the identity, size, time and digest of its file.

        A program may have edited its metadata after it was sorted, in the file or in a new one of its name. It is the
        photo as long as no row says that another photo is at the place. A failed photo keeps its digest, by which its
        sidecar is recognised.

        Raises:
            SourceChanged: The place is empty, or has another photo or no regular file.
            CannotMove: The place cannot be reached or read.
        """
        stat = self._restorer.stat(photo)
        located = photo._replace(**file_columns(stat))
        if dirfd.identity(stat) == photo.identity and photo.looks_like(stat):
            return located
        if not dirfd.is_regular(stat) or is_place_reused(self._engine, photo) or is_recorded(self._engine, located):
            raise SourceChanged("is no longer the photo that was put there")
        return located if photo.error_kind else located._replace(sha256=self._restorer.sha256(photo))

    def stat(self, photo: Photo) -> os.stat_result:
        """Stat of a photo at its place, if its file was not changed there.

        Raises:
            SourceChanged: The place is empty, or has another file.
            CannotMove: The place cannot be reached or read.
        """
        stat = self._restorer.stat(photo)
        if not self.is_at_place(photo, has_arrived=False):
            raise SourceChanged("is no longer the photo that was put there")
        return stat

    def is_at_place(self, photo: Photo, *, has_arrived: bool) -> bool:
        """Whether a photo is at its place; if it `has_arrived` at its target too, the file there is a copy.

        Raises:
            CannotMove: The file there cannot be read.
        """
        try:
            stat = self._restorer.stat(photo)
        except CannotMove:
            return False
        is_same_inode = dirfd.identity(stat) == photo.identity
        # The size and time too, since an inode is soon given to another file. A failed photo is exempt: a person may have
        # repaired it in its place.
        if is_same_inode and (photo.looks_like(stat) or photo.error_kind):
            return True
        if not self._restorer.has_same_bytes(photo, has_arrived=has_arrived):
            return False
        # A file with only the same bytes may be another photo, which came to the place when this one had left it.
        return is_same_inode or not is_place_reused(self._engine, photo)


def file_columns(stat: os.stat_result) -> dict[str, Any]:
    """The columns by which a photo's file is recognised."""
    return {
        "identity": dirfd.identity(stat),
        "size_bytes": stat.st_size,
        "modified_at": format_mtime(stat.st_mtime_ns),
    }


def located_columns(photo: Photo) -> dict[str, Any]:
    """The columns by which the file of a located photo is recognised."""
    return {
        "identity": photo.identity,
        "size_bytes": photo.size_bytes,
        "modified_at": photo.modified_at,
        "sha256": photo.sha256,
    }
