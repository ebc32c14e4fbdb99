"""Saves what can be read of a damaged SQLite file into a new one."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from daemon.database import connections, schema

log = structlog.get_logger()

_PAGE_ROWS = 500
_LAST_ID = 2**62
_TYPES: dict[type, tuple[type, ...]] = {float: (float, int)}
"""Python's types of the values of a column, where these are not the type of the column alone."""

_COMPLETE = """
INSERT INTO models (id, sha256, name, card, first_used_at)
  SELECT model_id, 'lost-' || model_id, 'lost', '{}', min(claimed_at) FROM photos
  WHERE model_id NOT IN (SELECT id FROM models) GROUP BY model_id;
INSERT INTO batches (id, started_at, photos, engine, inference_ms)
  SELECT batch_id, min(claimed_at), count(*), 'lost', 0 FROM photos
  WHERE batch_id NOT IN (SELECT id FROM batches) GROUP BY batch_id;
DELETE FROM reviews WHERE photo_id NOT IN (SELECT id FROM photos);
DELETE FROM judgements WHERE photo_id NOT IN (SELECT id FROM photos) OR model_id NOT IN (SELECT id FROM models);
DELETE FROM reclassifications WHERE photo_id NOT IN (SELECT id FROM photos)
  OR batch_id NOT IN (SELECT id FROM batches) OR previous_batch_id NOT IN (SELECT id FROM batches)
  OR previous_model_id NOT IN (SELECT id FROM models);
UPDATE originals SET photo_id = NULL WHERE photo_id NOT IN (SELECT id FROM photos);
UPDATE originals SET companion_id = NULL WHERE companion_id NOT IN (SELECT id FROM companions);
"""
"""Replaces rows that others refer to and that could not be read."""


def salvage(damaged: Path, new: Path) -> dict[str, int]:
    """Makes a database of the rows that can be read of a damaged one, which is only copied.

    A table is read by the ids of its rows; where a page cannot be read, reading goes on at the next id that can. Then
    SQLite's `.recover` adds rows that no id leads to any more, where its command has that.

    Args:
        damaged: The damaged file.
        new: The file to make.

    Returns:
        Number of rows by table.

    Raises:
        DatabaseError, OSError: The new file cannot be written.
    """
    connections.connect(sa.URL.create("sqlite", database=str(new))).dispose()
    with (
        tempfile.TemporaryDirectory(prefix=f".{new.name}-", dir=new.parent) as folder,
        closing(sqlite3.connect(new, isolation_level=None)) as target,
    ):
        target.execute("PRAGMA synchronous = OFF")  # the caller syncs the complete file
        target.execute("PRAGMA foreign_keys = OFF")
        copy = Path(folder, "copy.db")
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{damaged}{suffix}", f"{copy}{suffix}")
        _copy_tables(copy, target)
        recovered = Path(folder, "recovered.db")
        if _recover(copy, recovered):
            _copy_tables(recovered, target)
        target.executescript(f"BEGIN; {_COMPLETE} COMMIT;")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = schema.metadata.sorted_tables
        return {table.name: target.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in tables}


def _copy_tables(source: Path, target: sqlite3.Connection) -> None:
    """Copies the rows of all tables that the target does not have yet."""
    for table in schema.metadata.sorted_tables:
        try:
            with closing(sqlite3.connect(source)) as connection:
                found = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
                columns = [column.name for column in table.columns if column.name in found]
                if "id" in columns:
                    _copy_table(connection, target, table, columns)
        except sqlite3.DatabaseError as error:
            log.warning("a table cannot be read", table=table.name, reason=str(error))


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, table: sa.Table, columns: Sequence[str]
) -> None:
    query = f"SELECT {', '.join(columns)} FROM {table.name} NOT INDEXED WHERE id > ? ORDER BY id LIMIT ?"
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"
    for rows in _readable_rows(source, query, columns.index("id")):
        target.execute("BEGIN")
        target.executemany(insert, [row for row in rows if _is_valid(table, columns, row)])
        target.execute("COMMIT")


def _readable_rows(source: sqlite3.Connection, query: str, at: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query by ids in pages, without those that cannot be read; `at` is the position of the id."""
    after: int | None = 0
    while after is not None:
        rows: list[tuple[Any, ...]] = []
        is_complete = _read_into(rows, source, query, after)
        yield rows
        if rows:
            after = rows[-1][at]
        elif is_complete:
            return
        if not is_complete:
            after = _before_next_readable(source, query, after)


def _read_into(rows: list[tuple[Any, ...]], source: sqlite3.Connection, query: str, after: int) -> bool:
    """Appends the rows of a page up to one that cannot be read; returns whether there was none."""
    try:
        for row in source.execute(query, (after, _PAGE_ROWS)):
            rows.append(row)  # noqa: PERF402  # the rows before the one that cannot be read count
    except sqlite3.DatabaseError:
        return False
    return True


def _before_next_readable(source: sqlite3.Connection, query: str, after: int) -> int | None:
    """The smallest id above `after` after which a row can be read; None when there is none."""
    unreadable = after
    gap = 1
    while not _can_read(source, query, after + gap):
        unreadable = after + gap
        gap *= 2
        if gap > _LAST_ID:
            return None
    readable = after + gap
    while readable - unreadable > 1:
        middle = (readable + unreadable) // 2
        if _can_read(source, query, middle):
            readable = middle
        else:
            unreadable = middle
    return readable


def _can_read(source: sqlite3.Connection, query: str, after: int) -> bool:
    try:
        return source.execute(query, (after, 1)).fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def _is_valid(table: sa.Table, columns: Sequence[str], row: Sequence[Any]) -> bool:
    """Whether the values of a row have the types of its columns: a damaged page may read as anything."""
    for name, value in zip(columns, row, strict=True):
        column = table.columns[name]
        kind = column.type.python_type
        if not (column.nullable if value is None else isinstance(value, _TYPES.get(kind, (kind,)))):
            return False
    return True


def _recover(damaged: Path, recovered: Path) -> bool:
    """Runs `.recover` of SQLite's command; returns whether it exists and can do that (not all builds can)."""
    program = shutil.which("sqlite3")
    if program is None:
        return False
    command = [program, "-batch", str(damaged), ".recover"]
    with (
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process,
        closing(sqlite3.connect(recovered, isolation_level=None)) as target,
    ):
        target.execute("PRAGMA synchronous = OFF")
        target.execute("PRAGMA journal_mode = OFF")
        assert process.stdout is not None
        statement = ""
        for line in process.stdout:
            statement += line.decode(errors="replace")
            if sqlite3.complete_statement(statement):
                # By this connection and not by the command, for which a line of the data could be a command, too.
                with suppress(sqlite3.Error, sqlite3.Warning):
                    target.execute(statement)
                statement = ""
        with suppress(sqlite3.Error):
            target.execute("COMMIT")
    return process.returncode == 0
