"""inotify events of single folders, read by watchdog. Which folders are watched is up to the caller."""

import ctypes
import errno
import os
import threading
from collections.abc import Callable

from watchdog.observers import inotify_c
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_ONLYDIR
)


class FolderWatch(InotifyFD):
    """Reports changes in folders from its own thread, until `stop`.

    watchdog's own recursive watch would list each folder once more, and needs three threads for each.

    Attributes:
        limited: Whether a folder could not be watched because too many are.
    """

    def __init__(self, on_change: Callable[[bytes, bool], None], on_overflow: Callable[[], None]) -> None:
        """Starts without folders.

        Args:
            on_change: Called with a path at which a file or a folder appeared, closed after a write or disappeared, and
                whether it is a folder.
            on_overflow: Called when events were lost.

        Raises:
            OSError: Too many watches are open.
        """
        super().__init__()
        self._on_change = on_change
        self._on_overflow = on_overflow
        self._paths_lock = threading.Lock()
        self._paths: dict[WatchDescriptor, bytes] = {}
        self._numbers: dict[bytes, WatchDescriptor] = {}
        self.limited = False
        self.start()

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: bytes) -> None:
        """Watches a folder; one that was moved here is watched under its new path. Does nothing if that is impossible."""
        with self._paths_lock:
            number = WatchDescriptor(inotify_c.inotify_add_watch(self._inotify_fd, path, _MASK))
            if number == -1:
                self.limited = self.limited or ctypes.get_errno() in {errno.ENOSPC, errno.ENOMEM}
                return
            self._paths[number] = path
            self._numbers[path] = number

    def remove(self, path: bytes) -> None:
        """Ends the watch of a path, unless its folder is watched under another one meanwhile."""
        with self._paths_lock:
            number = self._numbers.pop(path, None)
            if number is not None and self._paths.get(number) == path:
                del self._paths[number]
                inotify_c.inotify_rm_watch(self._inotify_fd, number)

    def handle_event(self, event: InotifyEvent) -> None:
        """Called by watchdog's thread."""
        if event.is_queue_overflow:
            self._on_overflow()
            return
        with self._paths_lock:
            folder = self._paths.get(event.wd)
            if event.is_ignored and folder is not None:
                del self._paths[event.wd]
                if self._numbers.get(folder) == event.wd:
                    del self._numbers[folder]
        if folder is not None and event.name:
            self._on_change(os.path.join(folder, event.name), event.is_directory)
