"""A results database of many rows, and how long the questions that foodsort asks of it take, with SQLite's plans."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import database, query, schema
from daemon.chosen import Chosen
from daemon.known import Known
from daemon.query import Filters
from daemon.results import Results
from daemon.takeback import UNDO
from models.bundle import Bundle

BATCH = 64
LIMIT = 50  # what the table of `foodsort results` shows
_AT_ONCE = 500_000  # rows in one transaction
_BEGIN = 1_600_000_000  # the first row's time (s since 1970); each next one is a second later

# Rare values are of old rows: whoever walks from the newest meets them last.
_INSERT = f"""
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last),
row AS (
  SELECT
    i, CASE WHEN i % 10000 = 7 AND i < :rare THEN printf('trip_%08d.jpg', i) ELSE printf('IMG_%08d.jpg', i) END AS name,
    CASE WHEN i % 1000 = 3 THEN NULL WHEN i % 10000 = 5 AND i < :rare THEN 'unsure'
      WHEN i % 2 THEN 'food' ELSE 'non_food' END AS label,
    strftime('%Y-%m-%dT%H:%M:%S.000000Z', {_BEGIN} + i, 'unixepoch') AS at
  FROM n
)
INSERT INTO photos (
  id, name, path, path_bytes, inbox_path, inbox_path_bytes, generation, identity, sha256, size_bytes, modified_at,
  format, width, height, logit, probability, predicted_label, state, error_kind, error_message, batch_id, model_id,
  claimed_at, classified_at, filed_at
)
SELECT
  i, name, COALESCE(label, 'failed') || '/' || name, CAST(COALESCE(label, 'failed') || '/' || name AS BLOB),
  name, CAST(name AS BLOB), '1-1', '2049:' || i, lower(hex(randomblob(32))), 50000 + i % 1000, at,
  'JPEG', 512, 384, 1.5, 0.8, label,
  CASE WHEN label IS NULL THEN 'failed' WHEN i % 1000 = 9 THEN 'undone' ELSE 'filed' END,
  CASE WHEN label IS NULL THEN 'truncated' END, CASE WHEN label IS NULL THEN 'the file ends too soon' END,
  1 + i / {BATCH}, 1, at, CASE WHEN label IS NOT NULL THEN at END, at
FROM row
"""

_BATCHES = f"""
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO batches SELECT i, strftime('%Y-%m-%dT%H:%M:%S.000000Z', {_BEGIN}, 'unixepoch'), {BATCH}, 'bench', 1.0 FROM n
"""


class Figure(NamedTuple):
    """One question: times in ms, the first (cold caches of the connection) and the median, rows, and the plans."""

    name: str
    first_ms: float
    median_ms: float
    found: int
    plans: list[str]


def build(folder: Path, rows: int) -> sa.URL:
    """Makes a database of so many photos, one in a thousand undone, one failed and one corrected by a person."""
    address = database.url(folder, "")
    engine = database.connect(address)
    Results(engine).use_model(Bundle.load())
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        indexes = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
        ).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        connection.execute(sa.text(_BATCHES), {"last": 1 + rows // BATCH})
        for first in range(1, rows + 1, _AT_ONCE):
            last = min(first + _AT_ONCE - 1, rows)
            connection.execute(sa.text(_INSERT), {"first": first, "last": last, "rare": rows // 2})
            connection.commit()
        connection.exec_driver_sql(
            "INSERT INTO reviews (photo_id, label, reviewed_at) "
            "SELECT id, 'non_food', claimed_at FROM photos WHERE id % 1000 = 11"
        )
        for _, sql in indexes:
            connection.exec_driver_sql(sql)
            connection.commit()
        connection.commit()
    engine.dispose()
    return address


def measure(address: sa.URL, rows: int, repeats: int) -> list[Figure]:
    """Asks each question `repeats` times, after a first time."""
    engine = database.writing(address)
    results = Results(engine)
    results.use_model(Bundle.load())
    try:
        return [_figure(engine, name, ask, repeats) for name, ask in _questions(engine, results, rows).items()]
    finally:
        engine.dispose()


def _questions(engine: sa.Engine, results: Results, rows: int) -> dict[str, Callable[[], int]]:
    with engine.connect() as connection:
        digests = set(connection.execute(sa.text(f"SELECT sha256 FROM photos LIMIT {BATCH}")).scalars())

    def asked(**filters: Any) -> Callable[[], int]:
        return lambda: len(list(query.rows(engine, Filters(limit=LIMIT, **filters))))

    undone = Chosen(engine, Path("/"), UNDO.sources)
    identities = [f"2049:{number}" for number in range(1, 1 + 32)]
    return {
        "results": asked(),
        "results --label food": asked(label="food"),
        "results --label unsure (rare, old)": asked(label="unsure"),
        "results --label non_food": asked(label="non_food"),
        "results --since (all)": asked(since=_at(0)),
        "results --since (the last hour)": asked(since=_at(rows - 3600)),
        "results --until (the oldest hour)": asked(until=_at(3600)),
        "results --since --until (an hour)": asked(since=_at(rows // 3), until=_at(rows // 3 + 3600)),
        "results --label unsure --since": asked(label="unsure", since=_at(0)),
        "results --label food --until (the oldest hour)": asked(label="food", until=_at(3600)),
        "results --name exact": asked(name=f"IMG_{rows // 3:08}.jpg"),
        "results --name none": asked(name="nothing.jpg"),
        "results --name IMG_* (most)": asked(name="IMG_*"),
        "results --name IMG_00001* (some)": asked(name="IMG_00001*"),
        "results --name trip_* (rare, old)": asked(name="trip_*"),
        "results --name nothing* (none)": asked(name="nothing*"),
        "results --state filed": asked(state="filed"),
        "results --state failed": asked(state="failed"),
        "results --state missing (none)": asked(state="missing"),
        "results.undone, 32 photos": lambda: len(results.undone(identities)),
        "results.copies, a batch": lambda: len(results.copies(digests)),
        "results.pending": lambda: len(results.pending()),
        "undo --last": lambda: len(undone.last_batch()),
        "undo --batch": lambda: len(undone.batch(1 + rows // 3 // BATCH)),
        "undo --since (100 s)": lambda: len(undone.since(_at(rows - 100))),
        "a batch begins and ends": lambda: _batch(results),
    }


def _batch(results: Results) -> int:
    now, number = schema.text(datetime.now(UTC)), time.time_ns()
    rows = [
        {
            "path_bytes": f"food/new_{number}_{photo}.jpg".encode(),
            "inbox_path_bytes": f"new_{number}_{photo}.jpg".encode(),
            "generation": "1-1",
            "identity": f"2049:{number}{photo}",
            "sha256": os.urandom(32).hex(),
            "size_bytes": 1,
            "modified_at": now,
            "probability": 0.9,
            "predicted_label": "food",
            "claimed_at": now,
            "classified_at": now,
        }
        for photo in range(BATCH)
    ]
    batch = {"started_at": now, "photos": BATCH, "engine": "bench", "inference_ms": 1.0}
    _, ids = results.begin(batch, rows, [Known()] * BATCH)
    results.finish(ids)
    return len(ids)


def _figure(engine: sa.Engine, name: str, ask: Callable[[], int], repeats: int) -> Figure:
    with _statements(engine) as statements:
        first, found = _timed(ask)
    times = [_timed(ask)[0] for _ in range(repeats)]
    with engine.connect() as connection:
        plans = [
            line[3]
            for statement, values in statements
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    return Figure(name, first, statistics.median(times), found, plans)


def _timed(ask: Callable[[], int]) -> tuple[float, int]:
    begin = time.perf_counter()
    found = ask()
    return (time.perf_counter() - begin) * 1e3, found


@contextmanager
def _statements(engine: sa.Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is asked meanwhile, with its values; of what is said of many rows at once, the first."""
    seen: list[tuple[str, Any]] = []

    def see(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if not statement.startswith(("PRAGMA", "INSERT")):
            seen.append((statement, values[0] if many else values))

    sa.event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", see)


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(_BEGIN + second, UTC)
