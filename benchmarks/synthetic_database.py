"""A synthetic results database of many photos, one a second; the same in SQLite and in PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console

from daemon.database import addresses, connections, schema
from daemon.database.recorder import Recorder
from models.bundle import Bundle
from tests.programs import postgres

BATCH = 64
NEWEST = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""Time of the newest photo, on a day that the queries of docs/database.md use."""

_TRANSACTION_ROWS = 500_000
_TIME = "%Y-%m-%dT%H:%M:%S.000000Z"

# Rare values are in old rows, the worst case for a scan from the newest row.
_PHOTOS = f"""
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last),
facts AS (
  SELECT
    i, CASE WHEN i % 10000 = 7 AND i < :rare THEN printf('trip_%08d.jpg', i) ELSE printf('IMG_%08d.jpg', i) END AS name,
    CASE WHEN i % 1000 = 4 THEN 'trip/' ELSE printf('%03d/', i / 1000 % 1000) END AS folder,
    CASE WHEN i % 1000 = 3 THEN NULL WHEN i % 10000 = 5 AND i < :rare THEN 'unsure'
      WHEN i % 2 THEN 'food' ELSE 'non_food' END AS label,
    (i * 7919 % 1000003) / 1000003.0 AS chance,
    i - (i % 500 = 1) AS content, :begin + i AS at
  FROM n
),
classified AS (
  SELECT
    *, CASE label WHEN 'food' THEN 1 - chance * chance * chance / 2 WHEN 'non_food' THEN chance * chance * chance / 2
      WHEN 'unsure' THEN 0.4 + chance / 5 END AS probability
  FROM facts
)
INSERT INTO photos (
  id, name, path, path_bytes, inbox_path, inbox_path_bytes, generation, identity, sha256, size_bytes, modified_at,
  format, width, height, logit, probability, predicted_label, state, error_kind, error_message, batch_id, model_id,
  claimed_at, classified_at, filed_at, attempts, first_failed_at, taken_at, taken_offset, camera
)
SELECT
  i, name, COALESCE(label, 'failed') || '/' || folder || name,
  CAST(COALESCE(label, 'failed') || '/' || folder || name AS BLOB),
  folder || name, CAST(folder || name AS BLOB), '1-1', '2049:' || i,
  printf('%08x%056x', content * 2654435761 % 4294967296, content), 50000 + i % 1000,
  strftime('{_TIME}', at, 'unixepoch'),
  iif(label IS NULL, NULL, 'JPEG'), iif(label IS NULL, NULL, 4000), iif(label IS NULL, NULL, 3000),
  8 * (probability - 0.5), probability, label,
  CASE WHEN label IS NULL THEN 'failed' WHEN i % 1000 = 9 THEN 'undone' ELSE 'filed' END,
  CASE WHEN label IS NULL THEN 'truncated' END, CASE WHEN label IS NULL THEN 'the file ends too soon' END,
  1 + i / {BATCH}, 1, strftime('{_TIME}', at, 'unixepoch'),
  CASE WHEN label IS NOT NULL THEN strftime('{_TIME}', at + 1, 'unixepoch') END,
  strftime('{_TIME}', at + 1 + i % 3, 'unixepoch'),
  1 + (i % 1000 = 3), CASE WHEN i % 1000 = 3 THEN strftime('{_TIME}', at, 'unixepoch') END,
  CASE WHEN i % 10 THEN strftime('%Y-%m-%dT%H:%M:%S', at - i % 2000 * 7200, 'unixepoch') END,
  CASE WHEN i % 4 = 1 THEN '+02:00' END,
  CASE i % 5 WHEN 1 THEN 'Canon EOS 80D' WHEN 2 THEN 'NIKON D750' WHEN 3 THEN 'Pixel 8' WHEN 4 THEN 'iPhone 15' END
FROM classified
"""

_BATCHES_AND_EVENTS = (
    f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= :rows / {BATCH})
    INSERT INTO batches (id, started_at, photos, engine, inference_ms)
      SELECT i, strftime('{_TIME}', :begin + {BATCH} * i, 'unixepoch'), {BATCH}, 'bench', 300.0 FROM n
    """,
    f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows / 100)
    INSERT INTO events
      SELECT i, strftime('{_TIME}', :begin + 100 * i, 'unixepoch'), 'refused', 'a.jpg', 'it stays' FROM n
    """,
)

_REVIEWS = """
INSERT INTO reviews (photo_id, label, reviewed_at)
SELECT id, iif(id % 3, 'non_food', 'food'), filed_at FROM photos WHERE id % 1000 IN (11, 12)
"""


def time_of(photo: int, rows: int) -> datetime:
    """Returns the time of a photo, counted from 1, in a database of `rows` photos."""
    return NEWEST - timedelta(seconds=rows - photo)


def build(folder: Path, rows: int) -> sa.URL:
    """Makes a SQLite database.

    Of 1,000 photos one is undone, one failed, two are labelled by a person, and two are copies.
    """
    address = addresses.database_url(folder, "")
    engine = connections.connect(address)
    Recorder(engine).use_model(Bundle.load())
    begin = int(time_of(0, rows).timestamp())
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        indexes = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
        ).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for statement in _BATCHES_AND_EVENTS:
            connection.execute(sa.text(statement), {"rows": rows, "begin": begin})
        for first in range(1, rows + 1, _TRANSACTION_ROWS):
            last = min(first + _TRANSACTION_ROWS - 1, rows)
            values = {"first": first, "last": last, "rare": rows // 2, "begin": begin}
            connection.execute(sa.text(_PHOTOS), values)
            connection.commit()
        connection.exec_driver_sql(_REVIEWS)
        for _, sql in indexes:
            connection.exec_driver_sql(sql)
            connection.commit()
    engine.dispose()
    return address


def databases(folder: Path, rows: int) -> Iterator[tuple[str, sa.URL]]:
    """Yields the database in SQLite and, if a server is installed, in PostgreSQL: name with version, and address."""
    source = build(folder, rows)
    sqlite = f"SQLite {sqlite3.sqlite_version}"
    programs = postgres.programs()
    if programs is None:
        Console(stderr=True).print("no server of PostgreSQL 15 or newer is installed (Debian's package postgresql)")
        yield sqlite, source
        return
    with postgres.served(programs, fsync=True) as cluster:
        address = cluster.make()
        copy(source, address)  # now, because measuring SQLite adds rows to it
        yield sqlite, source
        yield f"PostgreSQL {cluster.ask('SHOW server_version')[0][0].split()[0]}", address


def copy(source: sa.URL, target: sa.URL) -> None:
    """Copies all rows to an empty PostgreSQL database and analyzes them, as autovacuum would do."""
    reader = sa.create_engine(source)
    engine = connections.connect(target)
    with reader.connect() as rows, engine.connect() as connection:
        # Foreign keys are not checked: the rows are consistent already.
        connection.exec_driver_sql("SET session_replication_role = replica")
        indexes = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'ix%%'"
        ).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for table in schema.metadata.sorted_tables:
            names = ", ".join(column.name for column in table.columns)
            table_rows = rows.execution_options(yield_per=10_000).exec_driver_sql(f"SELECT {names} FROM {table.name}")
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as lines:
                for row in table_rows:
                    lines.write_row(row)
            connection.exec_driver_sql(f"SELECT setval('{table.name}_id_seq', max(id)) FROM {table.name}")
        for _, sql in indexes:
            connection.exec_driver_sql(sql)
        connection.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    reader.dispose()
    engine.dispose()
