"""Compares rows with files and plans how they are brought together. Pure: facts in, steps out; it reads no disk.

The facts are in a scratch database that SQLite moves from memory to a temporary file when it grows, so that a million
photos need no more memory than a hundred.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from daemon.actions.facts import FileFacts, RowFacts, Step, is_same, pairs
from daemon.photo import MISSING

_SCHEMA = """
CREATE TABLE files (
  place BLOB PRIMARY KEY, folder TEXT, identity TEXT, size INTEGER, modified_at TEXT, sha256 TEXT, row_id INTEGER
) WITHOUT ROWID;
CREATE TABLE rows (
  id INTEGER PRIMARY KEY, state TEXT, place BLOB, identity TEXT, sha256 TEXT, size INTEGER, modified_at TEXT,
  failed INTEGER, file BLOB, is_done INTEGER DEFAULT 0
);
CREATE INDEX files_by_sha256 ON files (sha256) WHERE row_id IS NULL;
CREATE INDEX rows_by_sha256 ON rows (sha256) WHERE file IS NULL AND is_done = 0;
CREATE INDEX rows_by_size ON rows (size) WHERE file IS NULL AND is_done = 0;
"""
_FILE = "files.place, files.folder, files.identity, files.size, files.modified_at, files.sha256"
_ROW = "rows.id, rows.state, rows.place, rows.identity, rows.sha256, rows.size, rows.modified_at, rows.failed"
_LOST = "rows.file IS NULL AND rows.is_done = 0"
_IN_FLIGHT = -1  # the owner of a file that belongs to a photo in flight
_PAGE = 500


class Comparison:
    """Takes all files, then all rows by id, then the digests of the files without a row; then it plans."""

    def __init__(self) -> None:
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute("PRAGMA journal_mode = OFF")
        self._scratch.executescript(_SCHEMA)
        self._scratch.execute("BEGIN")
        self._numbers = itertools.count()

    def close(self) -> None:
        """Removes the scratch database."""
        self._scratch.close()

    def add_file(self, file: FileFacts) -> None:
        """Adds a file; one that was added before keeps its facts."""
        self._scratch.execute("INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?, ?, NULL)", file)

    def file_at(self, place: bytes) -> FileFacts | None:
        """The file that was added for a place."""
        query = f"SELECT {_FILE} FROM files WHERE place = ?"
        found = self._scratch.execute(query, (place,)).fetchone()
        return None if found is None else FileFacts._make(found)

    def add_row(self, row: RowFacts, file: FileFacts | None) -> None:
        """Adds a row. Rows come in the order of their ids: of several for one file the newest keeps it.

        Args:
            row: The row.
            file: The regular file at its place, if there is one.
        """
        is_here = file is not None and row.state != MISSING and is_same(row, file)
        values = (*row, row.place if is_here else None)
        self._scratch.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", values)
        if file is not None:
            self.add_file(file)
        if is_here:
            self._scratch.execute("UPDATE rows SET file = NULL WHERE id = ?", (self._owner(row.place),))
            self._scratch.execute("UPDATE files SET row_id = ? WHERE place = ?", (row.id, row.place))

    def add_in_flight(self, place: bytes) -> None:
        """Leaves the file at the place of a photo that is in flight, or that cannot be read, as it is."""
        self._scratch.execute("UPDATE files SET row_id = ? WHERE place = ? AND row_id IS NULL", (_IN_FLIGHT, place))

    def without_digest(self) -> Iterator[FileFacts]:
        """The files without a row that were not read yet; each needs `set_digest` or `drop`."""
        self._find_missing()
        after = b""
        query = (
            f"SELECT {_FILE} FROM files WHERE row_id IS NULL AND +sha256 IS NULL AND place > ? ORDER BY place LIMIT ?"
        )
        while page := self._scratch.execute(query, (after, _PAGE)).fetchall():
            yield from map(FileFacts._make, page)
            after = page[-1][0]

    def set_digest(self, file: FileFacts, sha256: str) -> None:
        """Sets the digest of a file."""
        self._scratch.execute("UPDATE files SET sha256 = ? WHERE place = ?", (sha256, file.place))

    def drop(self, file: FileFacts) -> None:
        """Leaves a file out, which is no photo or cannot be read."""
        self.add_in_flight(file.place)

    @property
    def has_lost(self) -> bool:
        """Whether there is a row without its photo."""
        return self._scratch.execute(f"SELECT 1 FROM rows WHERE {_LOST} LIMIT 1").fetchone() is not None

    def may_be_lost(self, size_bytes: int) -> bool:
        """Whether a row without its photo has this size."""
        query = f"SELECT 1 FROM rows WHERE {_LOST} AND rows.size = ? LIMIT 1"
        return self._scratch.execute(query, (size_bytes,)).fetchone() is not None

    @property
    def unchanged(self) -> int:
        """Number of rows without a step, except `refresh`; valid after the last of the `steps`."""
        return int(self._scratch.execute("SELECT count(*) FROM rows WHERE is_done = 0").fetchone()[0])

    def steps(self) -> Iterator[Step]:
        """Plans the steps, in the order in which they are to be done."""
        yield from self._pair()
        yield from self._refresh()
        yield from self._merge()
        yield from self._change()
        yield from self._lose()
        yield from self._add()

    def _owner(self, place: bytes) -> int | None:
        found = self._scratch.execute("SELECT row_id FROM files WHERE place = ?", (place,)).fetchone()
        return None if found is None else found[0]

    def _claim(self, row_id: int, place: bytes, *, is_done: bool) -> None:
        self._scratch.execute("UPDATE rows SET file = ?, is_done = ? WHERE id = ?", (place, is_done, row_id))
        self._scratch.execute("UPDATE files SET row_id = ? WHERE place = ?", (row_id, place))

    def _find_missing(self) -> None:
        """A photo that went missing and is at its place again: its folder was not mounted, for instance."""
        query = f"""
            SELECT max(rows.id), rows.place FROM rows JOIN files USING (place)
            WHERE {_LOST} AND rows.state = ? AND files.row_id IS NULL AND files.size = rows.size
              AND files.modified_at = rows.modified_at
            GROUP BY rows.place
        """
        for row_id, place in self._paged(query, (MISSING,)):
            self._claim(row_id, place, is_done=False)

    def _pair(self) -> Iterator[Step]:
        """Rows and files of the same bytes. Files that are too large to be read have one digest, so the size counts too."""
        query = f"""
            SELECT DISTINCT files.sha256, files.size
            FROM rows JOIN files ON files.sha256 = rows.sha256 AND +files.size = +rows.size
            WHERE {_LOST} AND files.row_id IS NULL
        """
        for digest, size in self._paged(query):
            rows = f"SELECT {_ROW} FROM rows WHERE {_LOST} AND sha256 = ? AND +size = ?"
            files = f"SELECT {_FILE} FROM files WHERE row_id IS NULL AND sha256 = ? AND +size = ?"
            lost = [_row(row) for row in self._scratch.execute(rows, (digest, size))]
            free = [FileFacts._make(file) for file in self._scratch.execute(files, (digest, size))]
            for row, file in list(pairs(lost, free)):
                is_moved = row.place != file.place
                self._claim(row.id, file.place, is_done=is_moved)
                if is_moved:
                    yield Step("move", row, file)

    def _refresh(self) -> Iterator[Step]:
        """Photos that are at their places, with another inode or time, or in a state that says otherwise."""
        query = f"""
            SELECT {_ROW}, {_FILE} FROM rows JOIN files ON files.place = rows.file
            WHERE rows.is_done = 0 AND (
              (rows.identity, rows.modified_at) != (files.identity, files.modified_at) OR rows.state IN ('filing', 'missing')
            )
            ORDER BY rows.id
        """
        for row, file in self._rows_and_files(query):
            if row.state == MISSING:
                self._claim(row.id, file.place, is_done=True)
                yield Step("move", row, file)
            else:
                yield Step("refresh", row, file)

    def _merge(self) -> Iterator[Step]:
        """Two rows for one place and the same bytes: the newest one stays."""
        query = f"""
            SELECT {_ROW}, owners.id FROM rows JOIN files USING (place) JOIN rows AS owners ON owners.id = files.row_id
            WHERE {_LOST} AND rows.state != ? AND owners.sha256 = rows.sha256 AND owners.size = rows.size ORDER BY rows.id
        """
        for *row, into in self._paged(query, (MISSING,)):
            self._finish(row[0])
            yield Step("merge", _row(row), into=into)

    def _change(self) -> Iterator[Step]:
        """Files at the place of a row that have other bytes, which no row has: edited in their places.

        A failed photo that was changed was repaired. Its row keeps the facts by which `delete` recognises the file that
        failed. What is in the inbox is up to the daemon.
        """
        query = f"""
            SELECT {_ROW}, {_FILE} FROM rows JOIN files USING (place)
            WHERE {_LOST} AND rows.state != ? AND files.row_id IS NULL AND rows.id = (
              SELECT max(id) FROM rows AS others WHERE others.place = rows.place AND others.file IS NULL
                AND others.is_done = 0 AND others.state != ?
            )
            ORDER BY rows.id
        """
        for row, file in self._rows_and_files(query, (MISSING, MISSING)):
            is_kept = row.failed or file.folder == "inbox" or file.sha256 is None
            self._claim(row.id, file.place, is_done=not is_kept)
            if not is_kept:
                yield Step("change", row, file)

    def _lose(self) -> Iterator[Step]:
        query = f"SELECT {_ROW} FROM rows WHERE {_LOST} AND rows.state != ? ORDER BY rows.id"
        for row in self._paged(query, (MISSING,)):
            self._finish(row[0])
            yield Step("lose", _row(row))

    def _add(self) -> Iterator[Step]:
        """Exact copies last: they name the row of their original."""
        query = f"""
            SELECT {_FILE} FROM files WHERE row_id IS NULL AND sha256 IS NOT NULL AND folder NOT IN ('inbox', 'elsewhere')
            ORDER BY folder = 'duplicates', place
        """
        for file in self._paged(query):
            yield Step("add", file=FileFacts._make(file))

    def _finish(self, row_id: int) -> None:
        self._scratch.execute("UPDATE rows SET is_done = 1 WHERE id = ?", (row_id,))

    def _rows_and_files(self, query: str, parameters: tuple[object, ...] = ()) -> Iterator[tuple[RowFacts, FileFacts]]:
        width = len(RowFacts._fields)
        for found in self._paged(query, parameters):
            yield _row(found[:width]), FileFacts._make(found[width:])

    def _paged(self, query: str, parameters: tuple[object, ...] = ()) -> Iterator[list[Any]]:
        """The rows of a query as they were at its start, since the steps change the tables."""
        table = f"page_{next(self._numbers)}"
        self._scratch.execute(f"CREATE TABLE {table} AS {query}", parameters)
        after = 0
        page = f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"
        while found := self._scratch.execute(page, (after, _PAGE)).fetchall():
            yield from (values for _, *values in found)
            after = found[-1][0]
        self._scratch.execute(f"DROP TABLE {table}")


def _row(values: Sequence[Any]) -> RowFacts:
    return RowFacts._make(values)._replace(failed=bool(values[-1]))
