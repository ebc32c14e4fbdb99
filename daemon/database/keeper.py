"""Keeps the daemon's SQLite file in its place: removed, renamed or replaced while it is open, it is noticed and mended."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from daemon.database import addresses, connections, integrity
from daemon.database.addresses import DatabaseError
from daemon.database.connection_guard import guard_connections
from daemon.database.in_flight import InFlight
from daemon.database.open_file import OpenFile, wait_for_file
from daemon.retry import is_transient
from models.errors import FoodsortError
from models.filenames import escape_name

log = structlog.get_logger()

Admit = Callable[[sa.Engine, InFlight], None]
"""Prepares another database for the daemon: checks its root, adds the model and the rows in flight."""

_LOCK_TIMEOUT_S = 1.0
_STILL_S = 1.0  # a file that somebody copies into place is not complete earlier


class KeptEvent(NamedTuple):
    """What happened to the file, for the table `events`."""

    kind: str
    message: str


class DatabaseKeeper:
    """Watches the file of an engine; does nothing for a database on a server. Used by any thread.

    Every connection that the engine hands out leads to the file that has the database's name at that moment; see
    `connection_guard`.
    """

    def __init__(self, engine: sa.Engine, admit: Admit, on_progress: Callable[[str], None]) -> None:
        """Opens the file, which exists.

        Args:
            engine: The database; its connections are watched from now on.
            admit: Prepares a database that takes the place of this one.
            on_progress: Called often, with a message for people, while the file is written back.

        Raises:
            DatabaseError: SQLite cannot read the file.
            OSError: The file cannot be opened.
        """
        self._engine = engine
        self._admit = admit
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._events: list[KeptEvent] = []
        self._arrival: tuple[tuple[int, ...], float] | None = None
        """Stamp of the file that took the name, and when it was first seen like this (monotonic s)."""
        self._path = addresses.sqlite_file(engine.url)
        self._file = None if self._path is None else _open(self._path)
        if self._file is not None:
            guard_connections(engine, lambda: self._file, self.check)

    def check(self) -> None:
        """Mends the file if it has lost its name or another file has it.

        Raises:
            DatabaseError: It has to be waited for; the error is transient.
            OSError: The folder cannot be searched.
        """
        if self._file is None or self._file.state() == "current":
            return
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT_S):
            wait_for_file(f"the database {self._file.name} is being written back")
        try:
            self._arrival = self._arrival if self._file.state() == "replaced" else None
            match self._file.state():
                case "missing":
                    self._restore(self._file, "was removed or renamed while foodsort was running")
                case "replaced":
                    self._accept(self._file)
        finally:
            self._lock.release()

    def reopen(self) -> None:
        """Opens whatever database is at the address now, after its folder was away.

        Raises:
            DatabaseError: The database cannot be used.
            OSError: The folder cannot be used.
        """
        with self._lock:
            self._adopt(InFlight())

    def take_events(self) -> list[KeptEvent]:
        """Returns the events since the last call."""
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Closes the file, after the engine."""
        if self._file is not None:
            self._file.close()

    def _restore(self, file: OpenFile, problem: str) -> None:
        """Writes the rows back under the name; begins a new database where they cannot be read any more."""
        problem = f"the database {file.name} {problem}"
        try:
            with _waiting_errors(f"{problem}, and cannot be written back"):
                file.write_back(lambda: self._on_progress(f"{problem}; it is being written back"))
        except sqlite3.Error as error:
            rows = file.rows_in_flight()
            file.detach_log()
            self._adopt(rows)
            self._tell(
                "database_lost",
                f"{problem} and could not be written back ({error}); a new one was begun."
                " `foodsort repair` adds rows for the photos that were sorted before",
            )
        else:
            self._swap()
            self._tell("database_restored", f"{problem}; it was written back with all its rows")

    def _accept(self, file: OpenFile) -> None:
        """Uses the file that has the name now; one that cannot be used makes room for the rows that are open."""
        self._require_stillness(file)
        rows = file.rows_in_flight()
        file.detach_log()
        problem = _damage(file.path) or self._refusal(rows)
        if problem is not None:
            aside = escape_name(os.fsencode(integrity.set_aside(file.path, "refused")))
            self._restore(
                file,
                f"was replaced by a file that cannot be used ({problem}; it is {aside} now)",
            )
            return
        kept = None
        with suppress(sqlite3.Error), _waiting_errors(f"the rows of the database {file.name} cannot be kept"):
            kept = file.leave()
        self._swap()
        copy = f"; the rows of the old one are in {escape_name(os.fsencode(kept))}" if kept else ""
        self._tell(
            "database_replaced",
            f"the database {file.name} was replaced while foodsort was running, and the new file is used{copy}."
            " `foodsort repair` compares the rows with the photos",
        )

    def _refusal(self, rows: InFlight) -> str | None:
        """Prepares the database that has the name; why it cannot be used, None if it can. Raises transient errors."""
        try:
            self._prepare(rows)
        except FoodsortError as error:
            if is_transient(error):
                raise
            return str(error).encode("utf-8", "backslashreplace").decode()  # a path in it need not be UTF-8
        return None

    def _require_stillness(self, file: OpenFile) -> None:
        """Waits until nobody writes into the file that took the name. Raises DatabaseError."""
        stat = os.stat(file.path)
        stamp = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        now = time.monotonic()
        if self._arrival is None or self._arrival[0] != stamp:
            self._arrival = stamp, now
        if now - self._arrival[1] < _STILL_S:
            wait_for_file(f"the database {file.name} was replaced; waiting until the new file is complete")

    def _adopt(self, rows: InFlight) -> None:
        """Uses the database at the address from now on; creates or migrates it. Raises DatabaseError, OSError."""
        self._prepare(rows)
        self._swap()

    def _prepare(self, rows: InFlight) -> None:
        """Creates or migrates the database at the address.

        Raises:
            DatabaseError: The database cannot be used, or belongs to another root.
            OSError: The folder cannot be used.
        """
        other = connections.connect(self._engine.url)
        try:
            with connections.database_errors():
                self._admit(other, rows)
        finally:
            other.dispose()

    def _swap(self) -> None:
        """Opens the file that has the name in the place of the other one. Raises sqlite3.Error, OSError."""
        if self._path is None or self._file is None:
            return
        previous, self._file = self._file, OpenFile(self._path)
        self._arrival = None
        self._engine.dispose()
        previous.close()

    def _tell(self, kind: str, message: str) -> None:
        log.error(message, kind=kind)
        self._events.append(KeptEvent(kind, message))


def _open(path: Path) -> OpenFile:
    """Opens the file at the start of a daemon. Raises DatabaseError, OSError."""
    try:
        return OpenFile(path)
    except sqlite3.Error as error:
        raise DatabaseError(f"the database {path} cannot be read: {error}") from error


@contextmanager
def _waiting_errors(problem: str) -> Iterator[None]:
    """Turns errors that pass, such as a full disk, into errors to wait for; others of SQLite are raised as they are."""
    try:
        yield
    except OSError as error:
        wait_for_file(f"{problem}: {error.strerror}")
    except sqlite3.Error as error:
        if is_transient(error):
            wait_for_file(f"{problem}: {error}")
        raise


def _damage(path: Path) -> str | None:
    """Why a file is no database, as far as SQLite can tell."""
    if path.stat().st_size == 0:
        return "it is empty"
    return integrity.find_damage(path)
