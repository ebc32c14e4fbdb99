"""Compares rows with folders that have changed, in slices: finds what events did not tell."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from daemon.actions.facts import RowFacts
from daemon.database.timestamps import is_same_mtime
from daemon.drags.follower import DragFollower
from daemon.drags.plan import PRESENT, SORTED_FOLDERS
from daemon.drags.tree import FolderTree
from daemon.fs import dirfd
from daemon.photo import MISSING

_SLICE = 500
_WRITTEN_S = 120.0
"""A file that was written in this time may grow yet."""


@dataclass
class _Wanted:
    """Rows without a file.

    Attributes:
        sizes: Sizes (bytes) of their photos.
        identities: Their identities, except those of photos that were missing before.
        lost: Their places, except those whose whole folder is away.
        away: Whether folders are away, by the names of their settings.
    """

    sizes: set[int] = field(default_factory=set)
    identities: set[str] = field(default_factory=set)
    lost: list[bytes] = field(default_factory=list)
    away: dict[str, bool] = field(default_factory=dict)


class Rescan:
    """Looks for photos that are not where their rows say. It only reads."""

    def __init__(self, tree: FolderTree, follower: DragFollower, touch: Callable[[Iterable[bytes]], None]) -> None:
        """Looks at nothing yet.

        Args:
            tree: The folders.
            follower: Its rows and files.
            touch: Called with places that have to be examined.
        """
        self._tree = tree
        self._rows = follower.rows
        self._inventory = follower.inventory
        self._presence = follower.presence
        self._destinations = follower.inventory.destinations
        self._touch = touch

    def run(self, *, everything: bool) -> Iterator[None]:
        """Compares; yields between two slices of work.

        Args:
            everything: Whether to look at all folders, not only at those that have changed since the last time.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The database is not available.
        """
        if everything:
            self._tree.forget()
        self._presence.note()
        changed = {}
        for folder in self._tree.look():
            if folder is None:
                yield
            else:
                changed[self._destinations.place(folder)] = folder
        if not changed:
            return
        wanted = _Wanted()
        for page in self._rows.pages():
            self._compare(page, None if everything else changed, wanted)
            yield
        if wanted.sizes:
            # A photo may have been copied to a folder before it was removed from another one.
            folders = self._tree.folders() if wanted.identities else list(changed.values())
            yield from self._search(folders, wanted)
        for start in range(0, len(wanted.lost), _SLICE):
            self._touch(wanted.lost[start : start + _SLICE])
            yield

    def files_below(self, folder: bytes) -> Iterator[None]:
        """Has all files examined of a folder that has come to another place; yields between two slices of work."""
        for changed in self._tree.look(folder):
            if changed is not None:
                for slice_ in self._list(changed):
                    self._touch(self._destinations.place(path) for path, _ in slice_)
                    yield
            yield

    def _compare(self, page: list[RowFacts], changed: dict[bytes, bytes] | None, wanted: _Wanted) -> None:
        for row in page:
            if row.state == MISSING:
                wanted.sizes.add(row.size_bytes)
            elif changed is None or os.path.dirname(row.place) in changed:
                stat = self._stat(row.place)
                if stat is not None and _is_photo(row, stat):
                    continue
                wanted.sizes.add(row.size_bytes)
                wanted.identities.add(row.identity)
                if stat is None and row.state in PRESENT and not self._is_away(row, wanted.away):
                    wanted.lost.append(row.place)

    def _is_away(self, row: RowFacts, away: dict[str, bool]) -> bool:
        """Whether the whole folder of a row is away; each folder is looked at once."""
        folder = self._inventory.folder_of(row.place)
        if folder not in away:
            away[folder] = self._presence.is_away(row)
        return away[folder]

    def _stat(self, place: bytes) -> os.stat_result | None:
        """The stat of the regular file at a place; None if there is none."""
        with suppress(OSError):
            stat = os.lstat(self._destinations.path(place))
            if dirfd.is_regular(stat):
                return stat
        return None

    def _search(self, folders: list[bytes], wanted: _Wanted) -> Iterator[None]:
        written_ns = time.time_ns() - int(_WRITTEN_S * 1e9)
        for folder in folders:
            for slice_ in self._list(folder):
                found = []
                for path, stat in slice_:
                    if stat.st_ctime_ns > written_ns:
                        self._tree.distrust(folder)
                    if stat.st_size in wanted.sizes or dirfd.identity(stat) in wanted.identities:
                        found.append(self._destinations.place(path))
                self._touch(found)
                yield

    def _list(self, folder: bytes) -> Iterator[list[tuple[bytes, os.stat_result]]]:
        """The regular files of a folder, in slices."""
        files: list[tuple[bytes, os.stat_result]] = []
        if self._inventory.folder_of(self._destinations.place(os.path.join(folder, b"_"))) not in SORTED_FOLDERS:
            return
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    if dirfd.is_regular(stat):
                        files.append((entry.path, stat))
                if len(files) >= _SLICE:
                    yield files
                    files = []
        yield files


def _is_photo(row: RowFacts, stat: os.stat_result) -> bool:
    if dirfd.identity(stat) == row.identity:
        return True
    return stat.st_size == row.size_bytes and is_same_mtime(stat.st_mtime_ns, row.modified_at)
