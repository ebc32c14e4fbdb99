"""What is asked of a results database: by foodsort itself, and by people in docs/database.md."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.collection import BATCH, time_of
from daemon.actions.undo import UNDO
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, PhotoRow, PriorRecord
from daemon.database.timestamps import format_time
from daemon.queries import results as query
from daemon.queries.results import Filters
from daemon.queries.selection import PhotoSelection
from tests.programs import document

LIMIT = 50  # what the table of `foodsort results` shows

Ask = Callable[[], int]
"""Asks, and returns how many rows came."""


def of_foodsort(engine: sa.Engine, results: Recorder, rows: int) -> dict[str, Ask]:
    """What commands and the daemon ask. rows: photos of the collection."""
    with engine.connect() as connection:
        digests = set(connection.execute(sa.text(f"SELECT sha256 FROM photos LIMIT {BATCH}")).scalars())

    def asked(**filters: Any) -> Ask:
        return lambda: len(list(query.rows(engine, Filters(limit=LIMIT, **filters))))

    def at(photo: int) -> datetime:
        return time_of(photo, rows)

    lookup = Lookup(engine)
    undone = PhotoSelection(engine, Path("/"), UNDO.sources)
    identities = [f"2049:{number}" for number in range(1, 1 + 32)]
    return {
        "results": asked(),
        "results --label food": asked(label="food"),
        "results --label unsure (rare, old)": asked(label="unsure"),
        "results --label non_food": asked(label="non_food"),
        "results --sort certainty": asked(sort="certainty"),
        "results --label food --sort certainty": asked(label="food", sort="certainty"),
        "results --label unsure --sort certainty": asked(label="unsure", sort="certainty"),
        "results --since (all)": asked(since=at(0)),
        "results --since (the last hour)": asked(since=at(rows - 3600)),
        "results --until (the oldest hour)": asked(until=at(3600)),
        "results --since --until (an hour)": asked(since=at(rows // 3), until=at(rows // 3 + 3600)),
        "results --label unsure --since": asked(label="unsure", since=at(0)),
        "results --label food --until (the oldest hour)": asked(label="food", until=at(3600)),
        "results --name exact": asked(name=f"IMG_{rows // 3:08}.jpg"),
        "results --name none": asked(name="nothing.jpg"),
        "results --name IMG_* (most)": asked(name="IMG_*"),
        "results --name IMG_00001* (some)": asked(name="IMG_00001*"),
        "results --name trip_* (rare, old)": asked(name="trip_*"),
        "results --name nothing* (none)": asked(name="nothing*"),
        "results --state filed": asked(state="filed"),
        "results --state failed": asked(state="failed"),
        "results --state missing (none)": asked(state="missing"),
        "lookup.undone, 32 photos": lambda: len(lookup.undone(identities)),
        "lookup.duplicates, a batch": lambda: len(lookup.duplicates(digests)),
        "lookup.pending": lambda: len(lookup.pending()),
        "undo --last": lambda: len(undone.newest_batch()),
        "undo --batch": lambda: len(undone.by_batch(1 + rows // 3 // BATCH)),
        "undo --since (100 s)": lambda: len(undone.filed_since(at(rows - 100))),
        "a batch begins and ends": lambda: _batch(results),
    }


def of_people(engine: sa.Engine) -> dict[str, Ask]:
    """What docs/database.md asks of this kind of database."""

    def asked(one: document.Query) -> Ask:
        if one.language == "python":
            return lambda: len(document.run(one.code, engine.url))
        return lambda: len(document.answered(engine, one.code)) - 1

    ours = ("", engine.dialect.name)
    return {one.heading: asked(one) for one in document.queries() if one.answer and one.dialect in ours}


def _batch(results: Recorder) -> int:
    now, number = format_time(datetime.now(UTC)), time.time_ns()
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
    _, ids = results.begin(batch, rows, [PriorRecord()] * BATCH)
    results.finish(ids)
    return len(ids)
