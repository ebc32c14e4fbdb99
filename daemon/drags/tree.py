"""The folders below the folders of sorted photos, and which of them have changed since the last look."""

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from stat import S_ISDIR

_SLICE = 1_000  # entries between two pauses
_UNCERTAIN_NS = 3 * 10**9  # some filesystems store whole seconds: a later change may leave the time as it is


class FolderTree:
    """Knows folders by the times of their last changes. Follows no links below the top. Used by one thread."""

    def __init__(
        self,
        tops: Collection[bytes],
        skip: Callable[[bytes], bool],
        on_new: Callable[[bytes], None],
        on_gone: Callable[[bytes], None],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Knows no folder yet.

        Args:
            tops: Absolute paths of the folders of sorted photos.
            skip: Whether to leave out a folder, by its path.
            on_new: Called with a folder before it is listed for the first time.
            on_gone: Called with a folder that is no longer there.
            wall_ns: The clock of the filesystem (ns since the epoch).
        """
        self._tops = sorted(set(tops))
        self._skip = skip
        self._on_new = on_new
        self._on_gone = on_gone
        self._wall_ns = wall_ns
        self._known: dict[bytes, int] = {}
        """Times of last changes (ns); 0: to be listed again."""

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Forgets the times: the next look lists all folders."""
        self._known = dict.fromkeys(self._known, 0)

    def distrust(self, folder: bytes) -> None:
        """Lets the next look list a folder again: a file there is being written, which leaves the folder's time."""
        if folder in self._known:
            self._known[folder] = 0

    def folders(self) -> list[bytes]:
        """All folders."""
        return list(self._known)

    def look(self, below: bytes | None = None) -> Iterator[bytes | None]:
        """Looks for changed folders.

        Args:
            below: A folder to begin at, instead of all.

        Yields:
            Folders that have changed or are gone, and None between two slices of work.
        """
        waiting = [below] if below is not None else [*self._tops, *(set(self._known) - set(self._tops))]
        seen = set()
        while waiting:
            folder = waiting.pop()
            if folder in seen:
                continue
            seen.add(folder)
            changed_ns = self._changed_ns(folder)
            known_ns = self._known.get(folder)
            if changed_ns is None:
                if known_ns is not None:
                    del self._known[folder]
                    self._on_gone(folder)
                    yield folder
            elif known_ns is None or known_ns != changed_ns:
                self._on_new(folder)  # also a known one: its watch may have ended with another folder at this path
                self._known[folder] = changed_ns if self._wall_ns() - changed_ns > _UNCERTAIN_NS else 0
                for subfolder in self._subfolders(folder):
                    if subfolder is None:
                        yield None
                    elif subfolder not in self._known:
                        waiting.append(subfolder)
                yield folder
            if len(seen) % _SLICE == 0:
                yield None

    def _changed_ns(self, folder: bytes) -> int | None:
        """Time of the last change of a folder's entries; None if there is no such folder."""
        try:
            stat = os.stat(folder, follow_symlinks=folder in self._tops)
        except OSError:
            return None
        return stat.st_mtime_ns if S_ISDIR(stat.st_mode) else None

    def _subfolders(self, folder: bytes) -> Iterator[bytes | None]:
        with suppress(OSError), os.scandir(folder) as entries:
            for number, entry in enumerate(entries, 1):
                if entry.is_dir(follow_symlinks=False) and not self._skip(entry.path):
                    yield entry.path
                if number % _SLICE == 0:
                    yield None
