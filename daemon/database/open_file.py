"""The SQLite file that the daemon has open, and whether its name still leads to it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal, NoReturn

from daemon.database import copies
from daemon.database.addresses import BUSY_TIMEOUT_S, LOG_SUFFIXES, DatabaseError
from daemon.database.in_flight import InFlight, read
from daemon.database.timestamps import file_stamp
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.fs.rename import rename
from models.filenames import escape_name

Identity = tuple[int, int]
"""Device and inode."""

FileState = Literal["current", "missing", "replaced"]

_PART = ".part"


class DamagedCopy(sqlite3.DatabaseError):
    """Raised when a copy of a damaged file was made, which only a person can repair."""


class OpenFile:
    """An SQLite file, open as long as the daemon uses it. Its rows can be read even when it has lost its name.

    The name is looked up in the folder that was opened: a folder that was moved or unmounted still has its file.
    SQLite itself writes on into a file without a name, and applies the log of a file to any other of the same name.

    Attributes:
        path: Path of the file, without links.
        name: The same for messages, which are UTF-8.
    """

    def __init__(self, path: Path) -> None:
        """Opens a database that exists.

        Raises:
            sqlite3.Error: SQLite cannot read it.
            OSError: The folder or the file cannot be opened.
        """
        self.path = Path(os.path.realpath(path))
        self.name = escape_name(os.fsencode(self.path))
        with ExitStack() as opened:
            self._folder = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, self._folder)
            self._connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=rw",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            opened.callback(self._connection.close)
            # Reading opens the log too. This connection keeps SQLite from removing it, so its identity stays.
            self._connection.execute("SELECT count(*) FROM alembic_version").fetchall()
            # Closing any other descriptor of the file would release SQLite's locks on it.
            self._file = os.open(self.path.name, os.O_PATH | os.O_CLOEXEC, dir_fd=self._folder)
            opened.callback(os.close, self._file)
            stat = os.fstat(self._file)
            self._identity: Identity = stat.st_dev, stat.st_ino
            self._log = {suffix: self._identity_of(suffix) for suffix in LOG_SUFFIXES}
            self._is_closed = False
            self._opened = opened.pop_all()

    def state(self) -> FileState:
        """Whether the name still leads to this file; after `close` it counts as replaced.

        Raises:
            OSError: The folder cannot be searched.
        """
        if self._is_closed:
            return "replaced"
        at_name = self._identity_of("")
        if at_name is None:
            return "missing"
        return "current" if at_name == self._identity else "replaced"

    def is_at_path(self) -> bool:
        """Whether the path leads to this file too: its folder was neither moved nor mounted over."""
        with suppress(OSError):
            stat = os.stat(self.path)
            return (stat.st_dev, stat.st_ino) == self._identity
        return False

    def rows_in_flight(self) -> InFlight:
        """The rows of photos that are on their way to their destinations; none where they cannot be read."""
        with suppress(sqlite3.Error):
            return read(self._connection)
        return InFlight()

    def leave(self) -> Path | None:
        """Gives up the name to another file, so that no row is lost and SQLite does not apply this log to that file.

        A file that was renamed gets what is in its log. One that was removed is copied to `<name>.replaced-<UTC time>`.

        Returns:
            The path of the copy.

        Raises:
            sqlite3.Error: SQLite cannot read this file, or cannot write the copy.
            OSError: The log cannot be removed, or the disk is full.
        """
        copy = None
        if os.fstat(self._file).st_nlink == 0:
            copy = Path(f"{self.path}.replaced-{file_stamp()}")
            with self._copied(lambda: None) as (folder, part):
                rename(Entry(folder, part), Entry(folder, os.fsencode(copy.name)))
                dirfd.sync(folder)
        self.detach_log()
        return copy

    def detach_log(self) -> None:
        """Removes the names of this file's own log, after its content is in a file that was renamed.

        Raises:
            OSError: A name cannot be removed.
        """
        if os.fstat(self._file).st_nlink:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for suffix, identity in self._log.items():
            if identity is not None and self._identity_of(suffix) == identity:
                with suppress(FileNotFoundError):
                    os.unlink(f"{self.path.name}{suffix}", dir_fd=self._folder)

    def write_back(self, on_progress: Callable[[], None]) -> None:
        """Writes all rows, the newest included, to a new file, and gives it the name that this one has lost.

        Args:
            on_progress: Called often.

        Raises:
            sqlite3.Error: SQLite cannot read this file, or cannot write the other.
            DamagedCopy: The file was damaged; the copy has another name.
            FileExistsError: Another file has the name by now.
            OSError: The folder is gone, or the disk is full.
        """
        with self._copied(on_progress) as (folder, part):
            name = os.fsencode(self.path.name)
            damage = copies.damage(self.path.with_name(os.fsdecode(part)), on_progress)
            if damage is not None:
                name += os.fsencode(f".corrupt-{file_stamp()}")
                rename(Entry(folder, part), Entry(folder, name))
                raise DamagedCopy(f"it is damaged: {damage}; what can be read is in {escape_name(name)}")
            self.detach_log()
            rename(Entry(folder, part), Entry(folder, name))
            dirfd.sync(folder)

    @contextmanager
    def _copied(self, on_progress: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
        """Yields the folder and the name of a complete copy, which is removed if it still has that name at the end."""
        part = self.path.with_name(f"{self.path.name}{_PART}")
        copies.remove_part(part)
        stat = os.fstat(self._file)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            copies.write_copy(self._connection, part, stat.st_mode & 0o777, on_progress)
            if os.geteuid() == 0:
                os.chown(part, stat.st_uid, stat.st_gid)
            yield folder, os.fsencode(part.name)
        finally:
            copies.remove_part(part)
            os.close(folder)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._is_closed = True
        self._opened.close()

    def _identity_of(self, suffix: str) -> Identity | None:
        # A folder that was removed, such as a root that is being restored, never has a file again; its path may.
        is_removed = os.fstat(self._folder).st_nlink == 0
        try:
            stat = (
                os.stat(f"{self.path}{suffix}")
                if is_removed
                else os.stat(f"{self.path.name}{suffix}", dir_fd=self._folder)
            )
        except FileNotFoundError:
            return None
        return stat.st_dev, stat.st_ino


def wait_for_file(message: str) -> NoReturn:
    """Raises a DatabaseError that passes: the next attempt finds the right file."""
    raise DatabaseError(message) from sqlite3.OperationalError(message)
