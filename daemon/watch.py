"""inotify's events on the inbox, through watchdog, as a queue of hints."""

import logging
import os
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
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from daemon.claim import PRIVATE
from daemon.inbox import Ignore

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class Hint(NamedTuple):
    """Something that happened to a path of the inbox. `look`: find out what is there, file or folder."""

    kind: Literal["look", "modified", "closed", "moved_in", "gone"]
    path: bytes


class Watch(FileSystemEventHandler):
    """Watches the inbox until it is stopped and hands hints on, from a thread of its own."""

    def __init__(self, inbox: Path, ignore: Ignore, hint: Callable[[Hint], None]) -> None:
        """Raises OSError when the folder cannot be watched, for instance because too many watches are in use."""
        self._root = os.fsencode(inbox)
        self._ignore, self._hint = ignore, hint
        # watchdog holds everything back for so long after a file was moved away, as we do with every photo. The kernel
        # reports both halves of a move at once, so its half a second of waiting for the other half gains nothing.
        InotifyMoveEventGrouper.delay = 0.05
        # A folder that is made while its parent's watch is set up is watched from both sides, which does no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        # Full events tell a file that was moved in, which is whole, from one that was made here.
        self._observer = InotifyObserver(generate_full_events=True)
        self._observer.schedule(self, self._root, recursive=True, event_filter=_EVENTS)  # type: ignore[arg-type]
        self._observer.start()

    def stop(self) -> None:
        """Ends the watch."""
        # Its emitter calls it an error that it is stopped while it reads.
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)
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
                self._say("gone", source)
                self._say("moved_in", target)
            case DirMovedEvent():
                self._say("look", target)
            case FileClosedEvent():
                self._say("closed", source)
            case FileModifiedEvent():
                self._say("modified", source)
            case FileDeletedEvent():
                self._say("gone", source)
            case FileCreatedEvent() | DirCreatedEvent():
                self._say("look", source)

    def _say(self, kind: Literal["look", "modified", "closed", "moved_in", "gone"], path: bytes) -> None:
        if path and not self._ignore.path(path):
            self._hint(Hint(kind, path))

    def _below(self, path: bytes | str) -> bytes:
        raw = os.fsencode(path)
        return raw[len(self._root) + 1 :] if raw.startswith(self._root + b"/") else b""
