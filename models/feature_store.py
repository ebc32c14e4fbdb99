"""A cache of positions on disk: a photo goes through the network once, whoever asks and however often."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from models import OWNER
from models.errors import FoodsortError
from models.features import Positions

Features = Mapping[int, Positions]
"""By side (pixels), the position of one photo, float16 (k,)."""

_T = TypeVar("_T")
_APPLICATION_ID = 0x666F6F66  # "foof", in the header of the file (SQLite, pragma application_id)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (
    digest BLOB NOT NULL, sha256 BLOB NOT NULL, side INTEGER NOT NULL, position BLOB NOT NULL,
    PRIMARY KEY (digest, sha256, side)
) WITHOUT ROWID
"""
_BUSY_TIMEOUT_S = 30.0
_PHOTOS = 500  # of a query; SQLite takes 999 values in old releases
_FILES = ("", "-wal", "-shm", "-journal")
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class FeatureStore:
    """Positions of photos by the photo's SHA-256 and the digest of a `FeatureExtractor`.

    Several processes and threads may use one file at a time. It is a cache: a damaged file is moved aside and started
    anew, and one that cannot be read or written (disk full, read-only) costs time alone. Both are logged.
    """

    def __init__(self, path: Path) -> None:
        """Opens the cache, or makes it with its folder.

        Raises:
            FoodsortError: The file is a database of something else.
        """
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._guarded(lambda connection: None, None)

    def load(self, digest: str, sha256s: Iterable[str]) -> dict[str, dict[int, Positions]]:
        """Reads the positions of photos; photos that are not in the cache are missing in the result.

        Args:
            digest: Digest of the extractor.
            sha256s: SHA-256 of photos, in hexadecimal.
        """
        wanted = list(dict.fromkeys(sha256s))
        empty: dict[str, dict[int, Positions]] = {}
        return self._guarded(lambda connection: _read(connection, digest, wanted), empty)

    def save(self, digest: str, features: Mapping[str, Features]) -> None:
        """Stores the positions of photos, by their SHA-256 in hexadecimal, in one transaction."""
        rows = [
            (bytes.fromhex(digest), bytes.fromhex(sha256), side, np.asarray(position, "<f2").tobytes())
            for sha256, by_side in features.items()
            for side, position in by_side.items()
        ]

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", rows)

        self._guarded(write, None)

    def close(self) -> None:
        """Closes the file; a later call opens it again."""
        with self._lock:
            self._drop()

    def _guarded(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Runs work on the open file; a damaged one is replaced once, other errors give `otherwise`."""
        with self._lock:
            for can_replace in (True, False):
                try:
                    return work(self._opened())
                except (sqlite3.Error, OSError) as error:
                    self._drop()
                    is_damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
                    if not (is_damaged and can_replace and _move_aside(self._path, self._inode)):
                        _log().warning("the cache of features %s is not used: %s", self._path, error)
                        break
            return otherwise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._inode = _inode(self._path)
            self._connection = _open(self._path)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and owner != _APPLICATION_ID:
            raise FoodsortError(f"{path} is another database, not a cache of features; name another file")
        if not tables:
            connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")  # first, so that no table lacks it
            connection.execute(_SCHEMA)
        # A cache may lose its last lines with the power, and must not wait for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _move_aside(path: Path, inode: int | None) -> bool:
    """Renames a damaged file to NAME.damaged, which replaces an older one; returns whether another can be opened."""
    if inode is None or _inode(path) != inode:
        return True  # another process has already done so
    try:
        for ending in _FILES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).replace(path.with_name(f"{path.name}.damaged{ending}"))
    except OSError:
        return False
    _log().warning("the cache of features %s was damaged; it is now %s.damaged, and made again", path, path)
    return True


def _read(connection: sqlite3.Connection, digest: str, wanted: list[str]) -> dict[str, dict[int, Positions]]:
    found: dict[str, dict[int, Positions]] = {}
    for start in range(0, len(wanted), _PHOTOS):
        keys = [bytes.fromhex(sha256) for sha256 in wanted[start : start + _PHOTOS]]
        for sha256, side, position in _rows(connection, digest, keys):
            if np.isfinite(position).all():
                found.setdefault(sha256, {})[side] = position
    return found


def _rows(connection: sqlite3.Connection, digest: str, keys: list[bytes]) -> Iterator[tuple[str, int, Positions]]:
    marks = ", ".join("?" * len(keys))
    query = f"SELECT sha256, side, position FROM positions WHERE digest = ? AND sha256 IN ({marks})"
    for sha256, side, position in connection.execute(query, [bytes.fromhex(digest), *keys]):
        yield sha256.hex(), side, np.frombuffer(position, "<f2").astype(np.float16)


def _log() -> logging.Logger:
    return logging.getLogger(OWNER)
