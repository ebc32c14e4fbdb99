"""What lies in the inbox, as a stream: it is walked through a slice at a time, so that all of it is never in memory."""

import itertools
import os
from collections.abc import Callable, Iterator

Entry = tuple[bytes, os.stat_result]
"""Path relative to the inbox, and what a stat says of it."""

_MOST_FOLDERS = 1_000  # that wait for their walks; one through everything takes the place of more


class Scanner:
    """Walks through folders, one after another. Pure but for the walks themselves; used by one thread.

    A folder may change while it is walked through, for as long as that takes: what is there from the first to the last slice
    is found, what comes or goes meanwhile may be. So only a walk that began after a change is sure to find it.
    """

    def __init__(self, walk: Callable[[bytes], Iterator[Entry]]) -> None:
        """walk: everything below a folder (of the whole inbox: b"") that is none itself."""
        self._walk = walk
        self._next: dict[bytes, None] = {}
        self._files: Iterator[Entry] | None = None

    @property
    def is_active(self) -> bool:
        """Whether there is more to come."""
        return self._files is not None or bool(self._next)

    def add(self, folder: bytes = b"") -> None:
        """Begins another walk when those are done that were added before; through everything when no folder is named."""
        if not folder or len(self._next) >= _MOST_FOLDERS:
            self._next = {b"": None}
        elif b"" not in self._next:
            self._next[folder] = None

    def next_slice(self, most: int) -> list[Entry]:
        """The next files, `most` at most, and fewer than that only where a walk ends."""
        if self._files is None and self._next:
            folder = next(iter(self._next))
            del self._next[folder]
            self._files = self._walk(folder)
        some = list(itertools.islice(self._files or (), most))
        if len(some) < most:
            self._files = None
        return some

    def stop(self) -> None:
        """Leaves out the rest, and lets go of the folder that is walked through."""
        self._next.clear()
        self._files = None  # a generator that nobody holds ends, and closes what it has open
