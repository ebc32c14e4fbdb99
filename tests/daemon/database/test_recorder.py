from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from daemon.database import addresses, connections, schema
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, PhotoRow, PreviousRow, PriorRecord
from models.bundle import Bundle

NOW = "2026-11-24T12:00:00.000000Z"
BATCH = BatchRow(started_at=NOW, engine="e", inference_ms=1.0)


def test_a_model_used_twice_has_one_row(address: sa.URL) -> None:
    engine = connections.connect(address)
    for _ in range(2):
        Recorder(engine).use_model(Bundle.load())
    with engine.connect() as connection:
        names = connection.execute(sa.select(schema.models.c.name)).scalars().all()
    engine.dispose()
    assert names == [Bundle.load().model_name]


def row(name: bytes, attempts: int = 1) -> PhotoRow:
    return PhotoRow(
        path=b"food/" + name,
        inbox_path=name,
        run_id="g",
        identity=f"1:{name!r}",
        sha256=name.decode(),
        size_bytes=1,
        modified_at=NOW,
        claimed_at=NOW,
        predicted_label="food",
        attempts=attempts,
    )


def test_a_batch_committed_before_the_connection_broke_is_not_recorded_again(address: sa.URL) -> None:
    engine = connections.connect(address)
    results = Recorder(engine)
    results.use_model(Bundle.load())
    _, (first,) = results.begin(BATCH, [row(b"a")], [PriorRecord()])
    with engine.begin() as connection:
        connection.execute(sa.update(schema.photos).values(state="retry"))

    def break_off(connection: sa.Connection) -> None:
        sa.event.remove(engine, "commit", break_off)
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.commit()
        raise OperationalError("COMMIT", {}, ConnectionError("the server is gone"))

    again = [row(b"a", attempts=2), row(b"b")]
    prior = [PriorRecord(PreviousRow(first, 1, None)), PriorRecord()]
    sa.event.listen(engine, "commit", break_off)
    with pytest.raises(OperationalError):
        results.begin(BATCH, again, prior)
    batch_id, ids = results.begin(BATCH, again, prior)
    with engine.connect() as connection:
        found = connection.execute(sa.select(schema.photos.c.id, schema.photos.c.name, schema.photos.c.batch_id)).all()
        batches = connection.execute(sa.select(schema.batches.c.id)).scalars().all()
    engine.dispose()
    assert ids[0] == first
    assert sorted(found) == [(ids[0], "a", batch_id), (ids[1], "b", batch_id)]
    assert len(batches) == 2


def test_a_batch_not_committed_before_the_connection_broke_is_recorded_again(address: sa.URL) -> None:
    engine = connections.connect(address)
    results = Recorder(engine)
    results.use_model(Bundle.load())

    def break_off(_connection: sa.Connection) -> None:
        sa.event.remove(engine, "commit", break_off)
        raise OperationalError("COMMIT", {}, ConnectionError("the server is gone"))

    rows = [row(b"a")]
    sa.event.listen(engine, "commit", break_off)
    with pytest.raises(OperationalError):
        results.begin(BATCH, rows, [PriorRecord()])
    batch_id, ids = results.begin(BATCH, rows, [PriorRecord()])
    with engine.connect() as connection:
        found = connection.execute(sa.select(schema.photos.c.id, schema.photos.c.batch_id)).all()
    engine.dispose()
    assert found == [(ids[0], batch_id)]


def test_a_batch_with_the_same_start_but_other_photos_is_a_new_one(address: sa.URL) -> None:
    engine = connections.connect(address)
    results = Recorder(engine)
    results.use_model(Bundle.load())
    first = results.begin(BATCH, [row(b"a")], [PriorRecord()])
    second = results.begin(BATCH, [row(b"b")], [PriorRecord()])
    engine.dispose()
    assert first.id != second.id
    assert first.photo_ids != second.photo_ids


def test_a_recorded_batch_is_found_by_an_index(tmp_path: Path) -> None:
    engine = connections.connect(addresses.database_url(tmp_path, ""))
    results = Recorder(engine)
    results.use_model(Bundle.load())
    rows = [row(b"a")]
    recorded = results.begin(BATCH, rows, [PriorRecord()])
    plans: list[str] = []

    def explain(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        with engine.connect() as other:
            plan = other.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, values)
            plans.extend(step[3] for step in plan)

    sa.event.listen(engine, "before_cursor_execute", explain)
    assert results.begin(BATCH, rows, [PriorRecord()]) == recorded
    sa.event.remove(engine, "before_cursor_execute", explain)
    engine.dispose()
    assert plans == [
        "SEARCH photos USING INDEX ix_photos_identity_state (identity=? AND state=?)",
        "SEARCH batches USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH photos USING INDEX ix_photos_batch_id (batch_id=?)",
    ]
