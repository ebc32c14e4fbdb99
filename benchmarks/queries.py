"""The queries to measure: those of foodsort itself, and those of docs/database.md."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.synthetic_database import BATCH, time_of
from daemon.actions.undo import UNDO
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, PhotoRow, PriorRecord
from daemon.database.timestamps import format_time
from daemon.queries import results as results_query
from daemon.queries.filters import Filters
from daemon.queries.selection import PhotoSelection
from tests.programs import document

LIMIT = 50  # as in the table of `foodsort results`

Query = Callable[[], int]
"""Executes a query and returns the number of rows."""


def daemon_queries(engine: sa.Engine, recorder: Recorder, rows: int) -> dict[str, Query]:
    """Returns the queries of the commands and of the daemon by name.

    Args:
        engine: The database.
        recorder: Writes to the database.
        rows: Photos in the database.
    """
    with engine.connect() as connection:
        digests = set(connection.execute(sa.text(f"SELECT sha256 FROM photos LIMIT {BATCH}")).scalars())

    def results(**filters: Any) -> Query:
        return lambda: len(list(results_query.rows(engine, Filters(limit=LIMIT, **filters))))

    def at(photo: int) -> datetime:
        return time_of(photo, rows)

    lookup = Lookup(engine)
    selection = PhotoSelection(engine, Path("/"), UNDO.sources)
    identities = [f"2049:{number}" for number in range(1, 1 + 32)]
    return {
        "results": results(),
        "results --label food": results(label="food"),
        "results --label unsure (rare, old)": results(label="unsure"),
        "results --label non_food": results(label="non_food"),
        "results --sort certainty": results(sort="certainty"),
        "results --label food --sort certainty": results(label="food", sort="certainty"),
        "results --label unsure --sort certainty": results(label="unsure", sort="certainty"),
        "results --since (all)": results(since=at(0)),
        "results --since (the last hour)": results(since=at(rows - 3600)),
        "results --until (the oldest hour)": results(until=at(3600)),
        "results --since --until (an hour)": results(since=at(rows // 3), until=at(rows // 3 + 3600)),
        "results --label unsure --since": results(label="unsure", since=at(0)),
        "results --label food --until (the oldest hour)": results(label="food", until=at(3600)),
        "results --name exact": results(name=f"IMG_{rows // 3:08}.jpg"),
        "results --name none": results(name="nothing.jpg"),
        "results --name IMG_* (most)": results(name="IMG_*"),
        "results --name IMG_00001* (some)": results(name="IMG_00001*"),
        "results --name trip_* (rare, old)": results(name="trip_*"),
        "results --name nothing* (none)": results(name="nothing*"),
        "results --state filed": results(states=("filed",)),
        "results --state failed": results(states=("failed",)),
        "results --state missing (none)": results(states=("missing",)),
        "lookup.undone, 32 photos": lambda: len(lookup.undone(identities)),
        "lookup.duplicates, a batch": lambda: len(lookup.duplicates(digests)),
        "lookup.pending": lambda: len(lookup.pending()),
        "undo --last": lambda: len(selection.by_batch(batch.id if (batch := selection.newest_batch()) else 0)),
        "undo --batch": lambda: len(selection.by_batch(1 + rows // 3 // BATCH)),
        "undo --since (100 s)": lambda: len(selection.filed_since(at(rows - 100))),
        "a batch begins and ends": lambda: _record_batch(recorder),
    }


def document_queries(engine: sa.Engine) -> dict[str, Query]:
    """Returns the queries of docs/database.md for this kind of database, by heading."""

    def executable(query: document.Query) -> Query:
        if query.language == "python":
            return lambda: len(document.run(query.code, engine.url))
        return lambda: len(document.execute(engine, query.code)) - 1

    dialects = ("", engine.dialect.name)
    return {
        query.heading: executable(query) for query in document.queries() if query.answer and query.dialect in dialects
    }


def _record_batch(recorder: Recorder) -> int:
    now = format_time(datetime.now(UTC))
    number = time.time_ns()
    rows = [
        PhotoRow(
            path=f"food/new_{number}_{photo}.jpg".encode(),
            inbox_path=f"new_{number}_{photo}.jpg".encode(),
            run_id="1-1",
            identity=f"2049:{number}{photo}",
            sha256=os.urandom(32).hex(),
            size_bytes=1,
            modified_at=now,
            probability=0.9,
            predicted_label="food",
            claimed_at=now,
            classified_at=now,
        )
        for photo in range(BATCH)
    ]
    batch = BatchRow(started_at=now, engine="bench", inference_ms=1.0)
    _, ids = recorder.begin(batch, rows, [PriorRecord()] * BATCH)
    recorder.finish(ids)
    return len(ids)
