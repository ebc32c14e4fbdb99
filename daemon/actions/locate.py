"""Checks whether a photo is still at the place that its row names."""

import os
from typing import Any

import sqlalchemy as sa

from daemon.database.timestamps import format_mtime
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.presence import has_photo
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.queries.photo_rows import Photo, is_place_reused, is_recorded
from models.errors import FoodsortError


class CannotMove(FoodsortError):
    """Raised when a photo cannot be moved or deleted. The message has the reason."""


class SourceChanged(CannotMove):
    """Raised when a photo's place is empty or has another file."""


class PhotoLocator:
    """Looks for photos at the places that their rows name."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine) -> None:
        self._destinations = destinations
        self._engine = engine

    def locate(self, photo: Photo) -> Photo:
        """A photo with the identity, size, time and digest of the file at its place.

        A program may have edited its metadata after it was sorted, in the file or in a new one of its name. It is the
        photo as long as no row says that another photo is at the place. A failed photo keeps its digest, by which its
        sidecar is recognised.

        Raises:
            SourceChanged: The place is empty, or has another photo or no regular file.
            CannotMove: The place cannot be reached or read.
        """
        try:
            with self._destinations.open_folder(photo.path) as (folder, name):
                entry = Entry(folder, name)
                stat = entry.stat()
                located = photo._replace(**file_columns(stat))
                if dirfd.identity(stat) == photo.identity and photo.looks_like(stat):
                    return located
                if not dirfd.is_regular(stat) or self._is_of_another_row(located):
                    raise SourceChanged("is no longer the photo that was put there")
                return located if photo.error_kind else located._replace(sha256=entry.sha256())
        except FileNotFoundError as error:
            raise SourceChanged("is no longer there") from error
        except OSError as error:
            raise CannotMove(f"cannot be reached: {error.strerror}") from error

    def require_unchanged(self, photo: Photo, problem: str) -> Photo:
        """Returns a photo as `locate` does; refuses a file that is not as its row describes it.

        Args:
            photo: The photo.
            problem: The message for a file that has changed.

        Raises:
            SourceChanged: The place is empty, or its file has changed.
            CannotMove: The place cannot be reached or read.
        """
        located = self.locate(photo)
        if file_of(located) != file_of(photo) and not self.has_bytes(photo):
            raise SourceChanged(problem)
        return located

    def is_at_place(self, photo: Photo, *, unchanged: bool = False) -> bool:
        """Whether a photo is at its place, and as its row describes it if it must be `unchanged`. Raises OSError."""
        with self._destinations.open_existing(photo.path) as (folder, name):
            if folder is None:
                return False
            entry = Entry(folder, name)
            stat = entry.find()
            return stat is not None and self._is_photo(photo, stat, entry, unchanged=unchanged)

    def has_bytes(self, photo: Photo) -> bool:
        """Whether the file at a photo's place has its bytes. Raises CannotMove."""
        try:
            return has_photo(self._destinations, photo.path, "", photo.sha256, claimed=False)
        except OSError as error:
            raise CannotMove(f"cannot be read: {error.strerror}") from error

    def _is_photo(self, photo: Photo, stat: os.stat_result, entry: Entry, *, unchanged: bool) -> bool:
        if not dirfd.is_regular(stat):
            return False
        is_same_inode = dirfd.identity(stat) == photo.identity
        # The size and time too, since an inode is soon given to another file. A failed photo is exempt: a person may have
        # repaired it in its place.
        if is_same_inode and (photo.looks_like(stat) or (photo.error_kind and not unchanged)):
            return True
        if stat.st_size != photo.size_bytes or entry.sha256() != photo.sha256:
            return False
        # A file with only the same bytes may be another photo, which came to the place when this one had left it.
        return is_same_inode or not is_place_reused(self._engine, photo)

    def _is_of_another_row(self, located: Photo) -> bool:
        return is_place_reused(self._engine, located) or is_recorded(self._engine, located)


def file_columns(stat: os.stat_result) -> dict[str, Any]:
    """The columns by which a photo's file is recognised."""
    return {
        "identity": dirfd.identity(stat),
        "size_bytes": stat.st_size,
        "modified_at": format_mtime(stat.st_mtime_ns),
    }


def file_of(photo: Photo) -> dict[str, Any]:
    """The columns by which the file of a located photo is recognised."""
    return {
        "identity": photo.identity,
        "size_bytes": photo.size_bytes,
        "modified_at": photo.modified_at,
        "sha256": photo.sha256,
    }
