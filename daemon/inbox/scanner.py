"""The files of the inbox, listed in slices, so that the whole list is never in memory."""

import itertools
import os
from collections.abc import Callable, Iterator

Entry = tuple[bytes, os.stat_result]
"""Path relative to the inbox, and its stat."""

_MAX_FOLDERS = 1_000  # that wait to be walked through; one walk through the whole inbox replaces more


class Scanner:
    """Walks through folders, one after another. Pure except for the walks; used by one thread.

    A folder may change during its walk. The walk finds each file that exists from the first to the last slice; it may or
    may not find a file that is created or removed meanwhile. So only a walk that began after a change is sure to find it.
    """

    def __init__(self, walk: Callable[[bytes], Iterator[Entry]]) -> None:
        """Creates a scanner without folders.

        Args:
            walk: Yields everything below a folder (b"" for the whole inbox) that is not a folder.
        """
        self._walk = walk
        self._folders: dict[bytes, None] = {}  # an ordered set
        self._entries: Iterator[Entry] | None = None

    @property
    def is_active(self) -> bool:
        """Whether there are more slices."""
        return self._entries is not None or bool(self._folders)

    def add(self, folder: bytes = b"") -> None:
        """Adds a walk through a folder, by default through the whole inbox, after those that were added before."""
        if not folder or len(self._folders) >= _MAX_FOLDERS:
            self._folders = {b"": None}
        elif b"" not in self._folders:
            self._folders[folder] = None

    def next_slice(self, limit: int) -> list[Entry]:
        """Returns the next files: `limit` of them, or fewer at the end of a walk."""
        if self._entries is None and self._folders:
            folder = next(iter(self._folders))
            del self._folders[folder]
            self._entries = self._walk(folder)
        entries = list(itertools.islice(self._entries or (), limit))
        if len(entries) < limit:
            self._entries = None
        return entries

    def stop(self) -> None:
        """Drops the remaining walks and closes the folder of the present one."""
        self._folders.clear()
        self._entries = None  # a generator without references ends and closes its folders
