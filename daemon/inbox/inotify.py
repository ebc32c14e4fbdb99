"""inotify's events on the inbox, through watchdog, as a queue of hints."""

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
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper, PathedInotifyEvent

from daemon.inbox.claims import PRIVATE
from daemon.inbox.ignore import IgnoreRules

PROBE = b"probe"
"""Name of the file in the claim folder's folder whose event proves that events come."""

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class FileEvent(NamedTuple):
    """Something that happened to a path of the inbox. `look`: find out what is there, file or folder.

    Two tell of the watch itself. `overflow`: events were lost. `unwatched`: a folder cannot be watched, so none will come.
    """

    kind: Literal["appeared", "modified", "closed", "moved_in", "disappeared", "overflow", "unwatched"]
    path: bytes


class _Inotify(InotifyFD):
    """watchdog's reader, which keeps two things to itself: that the queue overflowed, that a sub-folder is unwatched."""

    def __init__(self, hint: Callable[[FileEvent], None], probe: bytes) -> None:
        super().__init__()
        self._hint, self._probe = hint, probe
        self.proven = threading.Event()
        self.limited = False

    def handle_event(self, event: InotifyEvent) -> None:
        if event.name == self._probe:
            self.proven.set()
        super().handle_event(event)
        if event.is_queue_overflow:  # watchdog watches anew first, so that nothing falls between that and a look
            self._hint(FileEvent("overflow", b""))

    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.ENOMEM} and not self.limited:  # one is enough to know
                self.limited = True
                self._hint(FileEvent("unwatched", path))
            raise


_held_back = InotifyMoveEventGrouper.put_event


def _put_event(queue: InotifyMoveEventGrouper, event: PathedInotifyEvent) -> None:
    """Takes an event as watchdog does, but holds nothing back when a file was moved away, as each photo is that we claim.

    watchdog waits for the other half of a move, and lets all that comes after it wait too. Half a move of a file tells us
    as much as a whole one; of a folder, watchdog needs to know from where it came.
    """
    if event.ev.is_moved_from and not event.ev.is_directory:
        queue._queue.put(event)
    else:
        _held_back(queue, event)


InotifyMoveEventGrouper.put_event = _put_event  # type: ignore[assignment, method-assign]
# The kernel reports both halves at once, so watchdog's half a second of waiting for the other one gains nothing.
InotifyMoveEventGrouper.delay = 0.05


class _Observer(InotifyObserver):
    def __init__(self, inotify: _Inotify) -> None:
        self._inotify_fd = inotify
        inotify.start()
        # Full events tell a file that was moved in, which is whole, from one that was made here.
        BaseObserver.__init__(self, InotifyFullEmitter, inotify_fd=inotify)


class InotifySource(FileSystemEventHandler):
    """Watches the inbox until it is stopped and hands hints on, from a thread of its own."""

    def __init__(
        self,
        inbox: Path,
        ignore: IgnoreRules,
        hint: Callable[[FileEvent], None],
        *,
        recursive: bool = True,
        probe: bytes = PROBE,
    ) -> None:
        """probe: name of the file whose event proves that events come.

        Raises OSError when the folder cannot be watched, for instance because too many watches are in use.
        """
        self._root = os.fsencode(inbox)
        self._ignore, self._hint = ignore, hint
        # A folder that is made while its parent's watch is set up is watched from both sides, which does no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        # What it logs is told by us, or none: its emitter calls it an error that it is stopped while it reads.
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)
        self._inotify = _Inotify(hint, probe)
        self._observer = _Observer(self._inotify)
        try:
            self._observer.schedule(self, self._root, recursive=recursive, event_filter=_EVENTS)  # type: ignore[arg-type]
            self._observer.start()
        except (OSError, RecursionError) as error:
            self._inotify.stop()
            self._inotify.join()
            if isinstance(error, RecursionError):  # Python 3.11 lists folders with a call for each level
                raise OSError(errno.ENAMETOOLONG, "there are folders within folders without end") from error
            raise

    @property
    def alive(self) -> bool:
        """Whether it still hands on what happens; not so once the folder that it watches is gone."""
        threads = (self._inotify, self._observer, *self._observer.emitters)
        return all(thread.is_alive() for thread in threads)

    @property
    def limited(self) -> bool:
        """Whether there are folders that could not be watched."""
        return self._inotify.limited

    def proven(self, patience_s: float) -> bool:
        """Whether the event of the probe, which the caller has just written, comes within `patience_s`."""
        return self._inotify.proven.wait(patience_s)

    def stop(self) -> None:
        """Ends the watch."""
        self._observer.stop()
        self._observer.join()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by watchdog for each event."""
        source, target = self._below(event.src_path), self._below(event.dest_path)
        ours = [path for path in (source, target) if path and path.startswith(PRIVATE + b"/")]
        if ours:  # our own claims, and photos that we put back
            return
        match event:
            case FileMovedEvent():
                self._say("disappeared", source)
                self._say("moved_in", target)
            case DirMovedEvent():
                self._say("appeared", target)
            case FileClosedEvent():
                self._say("closed", source)
            case FileModifiedEvent():
                self._say("modified", source)
            case FileDeletedEvent():
                self._say("disappeared", source)
            case FileCreatedEvent() | DirCreatedEvent():
                self._say("appeared", source)

    def _say(self, kind: Literal["appeared", "modified", "closed", "moved_in", "disappeared"], path: bytes) -> None:
        if path and not self._ignore.path(path):
            self._hint(FileEvent(kind, path))

    def _below(self, path: bytes | str) -> bytes:
        raw = os.fsencode(path)
        return raw[len(self._root) + 1 :] if raw.startswith(self._root + b"/") else b""
