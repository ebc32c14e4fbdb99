"""inotify events of the inbox, received through watchdog."""

import errno
import logging
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from daemon.inbox.claims import PRIVATE
from daemon.inbox.ignore import IgnoreRules

PROBE = PRIVATE + b"-probe"
"""Name of the file in the inbox whose event shows that events arrive; hidden, and so never a photo."""

_WATCHED_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


EventKind = Literal["appeared", "modified", "closed", "moved_in", "disappeared", "overflow", "unwatched"]


class FileEvent(NamedTuple):
    """An event of the inbox.

    Attributes:
        kind: The change. `appeared`: a file or folder was created, or a folder moved in. `modified`: a file was written.
            `closed`: a writer closed a file. `moved_in`: a file was renamed to this path. `disappeared`: a file was removed
            or renamed to another path. `overflow`: events were lost. `unwatched`: the folder cannot be watched, so that no
            events of it will arrive.
        path: Path relative to the inbox; empty for `overflow`.
    """

    kind: EventKind
    path: bytes


_KINDS: dict[int, EventKind] = {
    InotifyConstants.IN_CREATE: "appeared",
    InotifyConstants.IN_MODIFY: "modified",
    InotifyConstants.IN_CLOSE_WRITE: "closed",
    InotifyConstants.IN_MOVED_TO: "moved_in",
    InotifyConstants.IN_MOVED_FROM: "disappeared",
    InotifyConstants.IN_DELETE: "disappeared",
}
"""Kinds of the events of files, by their masks; those of folders have the bit IN_ISDIR too."""


class _Inotify(InotifyFD):
    """watchdog's reader, which reports the events of files itself, and an overflow of the queue, and unwatched subfolders.

    watchdog gets the events of folders, since it has to watch them. It passes each event through three threads, and
    delays all events while it waits for the second half of a move.

    Attributes:
        limited: Whether some folders cannot be watched.
    """

    def __init__(
        self, root: bytes, on_event: Callable[[FileEvent], None], on_file: Callable[[EventKind, bytes], None]
    ) -> None:
        super().__init__()
        self._private = os.path.join(root, PRIVATE)
        self._on_event = on_event
        self._on_file = on_file
        self.limited = False

    def handle_event(self, event: InotifyEvent) -> None:
        kind = _KINDS.get(event.mask)
        if kind is None:
            super().handle_event(event)
        else:
            self._handle_file(kind, event)
        if event.is_queue_overflow:  # after watchdog has renewed its watches, so that the rescan misses nothing
            self._on_event(FileEvent("overflow", b""))

    def _handle_file(self, kind: EventKind, event: InotifyEvent) -> None:
        with self._lock:
            watch = self._watch_for_wd.get(event.wd)
            groups = list(watch.callbacks.values()) if watch is not None else []
        for group in groups:
            assert isinstance(group, InotifyWatchGroup)
            with group._lock:  # held while the group adds its watches, and learns the paths of their folders
                path = group._build_event_source_path(event)
            if path is not None:
                self._on_file(kind, path)

    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        if path == self._private or path.startswith(self._private + b"/"):  # our own claims and returns
            raise PermissionError(errno.EPERM, "is not watched", path)
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.ENOMEM} and not self.limited:  # one report is enough
                self.limited = True
                self._on_event(FileEvent("unwatched", path))
            raise


# The kernel reports both halves of a folder's move at once, so watchdog's delay of half a second gains nothing.
InotifyMoveEventGrouper.delay = 0.05


class _Observer(InotifyObserver):
    def __init__(self, inotify: _Inotify) -> None:
        self._inotify_fd = inotify
        inotify.start()
        # Full events distinguish a file that was moved in, which is complete, from one that was created here.
        BaseObserver.__init__(self, InotifyFullEmitter, inotify_fd=inotify)


class InotifySource(FileSystemEventHandler):
    """Watches a folder until it is stopped and reports events from its own thread."""

    def __init__(
        self,
        inbox: Path,
        ignore: IgnoreRules,
        on_event: Callable[[FileEvent], None],
        *,
        recursive: bool = True,
        probe: bytes = PROBE,
    ) -> None:
        """Starts to watch a folder.

        Args:
            inbox: The folder.
            ignore: Names whose events are not reported.
            on_event: Called with each event, from another thread.
            recursive: Whether to watch subfolders.
            probe: Name of the file in the folder that `await_probe` waits for.

        Raises:
            OSError: The folder cannot be watched, for example because too many watches are in use.
        """
        # The events of a linked folder have the path of the real one.
        self._root = os.path.realpath(os.fsencode(inbox))
        self._ignore = ignore
        self._on_event = on_event
        self._probe = probe
        self._probe_seen = threading.Event()
        # A folder that is created while its parent's watch is set up is watched from both sides, which is harmless.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        # watchdog logs an error when it is stopped while it reads; foodsort logs all real problems itself.
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)
        self._inotify = _Inotify(self._root, on_event, self._report)
        self._observer = _Observer(self._inotify)
        try:
            self._observer.schedule(
                self,
                self._root,  # type: ignore[arg-type]
                recursive=recursive,
                event_filter=_WATCHED_EVENTS,
            )
            self._observer.start()
        except (OSError, RecursionError) as error:
            self._inotify.stop()
            self._inotify.join()
            if isinstance(error, RecursionError):  # Python 3.11 lists folders with a call for each level
                raise OSError(errno.ENAMETOOLONG, "the folders are nested too deeply") from error
            raise

    @property
    def alive(self) -> bool:
        """Whether it still reports events; it ends when its folder is removed."""
        threads = (self._inotify, self._observer, *self._observer.emitters)
        return all(thread.is_alive() for thread in threads)

    @property
    def limited(self) -> bool:
        """Whether some folders cannot be watched."""
        return self._inotify.limited

    def await_probe(self, timeout_s: float) -> bool:
        """Waits for the event of the probe, which the caller has just written. Returns whether it arrived in time."""
        return self._probe_seen.wait(timeout_s)

    def stop(self) -> None:
        """Ends the watch."""
        self._observer.stop()
        self._observer.join()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Reports an event of a folder, or of a file in a folder that was created or moved; called by watchdog."""
        match event:
            case FileMovedEvent():
                self._report("disappeared", event.src_path)
                self._report("moved_in", event.dest_path)
            case DirMovedEvent():
                self._report("appeared", event.dest_path)
            case FileCreatedEvent() | DirCreatedEvent():
                self._report("appeared", event.src_path)

    def _report(self, kind: EventKind, absolute: bytes | str) -> None:
        path = self._relative(absolute)
        if path == self._probe:  # seen only here, where the events of photos come through as well
            self._probe_seen.set()
        if path and not self._ignore.path(path):
            self._on_event(FileEvent(kind, path))

    def _relative(self, path: bytes | str) -> bytes:
        """Returns a path relative to the folder, empty for a path outside."""
        raw = os.fsencode(path)
        return raw[len(self._root) + 1 :] if raw.startswith(self._root + b"/") else b""
