"""Whether changes in the folders of sorted photos are told by events, or have to be found by scans."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from daemon.drags.folder_watch import FolderWatch
from daemon.fs import mounts

log = structlog.get_logger()


class Change(NamedTuple):
    """A change in a folder; the path is empty when events were lost."""

    path: bytes
    is_folder: bool


class Watches:
    """The watches of all folders; without inotify, or with too few watches, there are none. Used by one thread."""

    def __init__(
        self, tops: Sequence[bytes], on_change: Callable[[Change], None], is_degraded: Callable[[], bool]
    ) -> None:
        """Watches nothing yet.

        Args:
            tops: The folders of the settings.
            on_change: Called with each change, from another thread.
            is_degraded: Whether the events of the inbox do not all arrive; those of other folders do not either then.
        """
        self._tops = tops
        self._on_change = on_change
        self._is_degraded = is_degraded
        self._watch: FolderWatch | None = None

    @property
    def are_complete(self) -> bool:
        """Whether events tell of all changes."""
        if self._watch is None or not self._watch.is_alive() or self._is_degraded():
            return False
        found = (mounts.mount_of(Path(os.fsdecode(folder))) for folder in self._tops)
        return not any(mount is not None and mount.shared for mount in found)

    def open(self) -> None:
        """Begins without folders."""
        try:
            self._watch = FolderWatch(
                lambda path, is_folder: self._on_change(Change(path, is_folder)),
                lambda: self._on_change(Change(b"", is_folder=False)),
            )
        except OSError as error:
            _log_polling(error.strerror or str(error))

    def close(self) -> None:
        """Ends all watches. May be called twice."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def add(self, folder: bytes) -> None:
        """Watches a folder. If there are too few watches, all are given back: the inbox needs those that are left."""
        if self._watch is None:
            return
        self._watch.add(folder)
        if self._watch.limited:
            self.close()
            _log_polling("no more folders can be watched (fs.inotify.max_user_watches)")

    def remove(self, folder: bytes) -> None:
        """Ends the watch of a folder."""
        if self._watch is not None:
            self._watch.remove(folder)


def _log_polling(reason: str) -> None:
    log.info("the folders of sorted photos cannot be watched; they are scanned instead", kind="drags", reason=reason)
