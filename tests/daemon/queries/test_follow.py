from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections, schema
from daemon.photo import FILED, FILING
from daemon.queries import follow, outcomes
from daemon.queries.filters import Filters
from daemon.queries.follow import Follower
from tests.daemon.sample_database import DAY, add, make_database
from tests.programs.postgres import Cluster, made


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    engine = make_database(address)
    yield engine
    engine.dispose()


def batch(engine: sa.Engine, number: int) -> int:
    with engine.begin() as connection:
        row = {"id": number, "started_at": DAY % 1, "photos": 1, "engine": "e", "inference_ms": 1.0}
        connection.execute(schema.batches.insert().values(row))
    return number


def change(engine: sa.Engine, photo_id: int, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(schema.photos.update().where(schema.photos.c.id == photo_id).values(values))


def follow_steps(
    address: sa.URL, *steps: Callable[[], object], filters: Filters | None = None
) -> tuple[list[list[str]], list[str]]:
    """The names that are reported before, between and after the steps, and the errors."""
    names: list[list[str]] = [[]]
    errors: list[str] = []
    remaining = iter(steps)

    def pause(_pause_s: float) -> bool:
        step = next(remaining, None)
        names.append([])
        if step:
            step()
        return step is not None

    for row in Follower(address, filters or Filters(), pause, lambda error: errors.append(str(error))):
        names[-1].append(row["name"])
    return names[:-1], errors


def test_existing_photos_come_before_new_ones_and_the_oldest_first(engine: sa.Engine) -> None:
    for name in "abc":
        add(engine, name)

    def two_more() -> None:
        batch(engine, 3)
        add(engine, "d", batch_id=3)
        add(engine, "e", batch_id=3)

    names, errors = follow_steps(engine.url, lambda: None, two_more, lambda: None)
    assert names == [["a", "b", "c"], [], ["d", "e"], []]
    assert errors == []


def test_a_limit_applies_only_to_existing_photos(engine: sa.Engine) -> None:
    for name in "abc":
        add(engine, name)

    def three_more() -> None:
        batch(engine, 3)
        for name in "def":
            add(engine, name, batch_id=3)

    assert follow_steps(engine.url, three_more, filters=Filters(limit=2))[0] == [["b", "c"], ["d", "e", "f"]]


@pytest.mark.parametrize("at_once", [1, 500])
def test_a_photo_is_reported_once_with_its_outcome(
    engine: sa.Engine, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_PHOTOS", at_once)
    monkeypatch.setattr(follow, "_BATCHES", at_once)
    early = add(engine, "early", state=FILING, batch_id=1)
    add(engine, "there", batch_id=2)
    late: list[int] = []

    def come() -> None:
        for number in (3, 4):
            batch(engine, number)
            late.append(add(engine, f"late {number}", state=FILING, batch_id=number))
            add(engine, f"quick {number}", batch_id=number)

    names, _ = follow_steps(
        engine.url,
        come,
        lambda: change(engine, early, state=FILED),
        lambda: change(engine, late[1], state="missing"),
        lambda: change(engine, late[0], state=FILED),
        lambda: None,
    )
    assert names == [["there"], ["quick 3", "quick 4"], ["early"], ["late 4"], ["late 3"], []]


def test_a_new_photo_that_was_reclassified_into_an_older_batch_is_reported(engine: sa.Engine) -> None:
    add(engine, "a", batch_id=3)

    def sort_and_reclassify() -> None:
        photo_id = add(engine, "b", batch_id=4)
        change(engine, photo_id, batch_id=3)
        earlier = {"batch_id": 3, "photo_id": photo_id, "previous_batch_id": 4, "previous_model_id": 1}
        with engine.begin() as connection:
            connection.execute(schema.reclassifications.insert().values(earlier))

    names, _ = follow_steps(engine.url, sort_and_reclassify, lambda: None)
    assert names == [["a"], ["b"], []]


def test_a_retried_photo_is_reported_again(engine: sa.Engine) -> None:
    photo_id = add(engine, "a", state="retry")

    def tried() -> None:
        change(engine, photo_id, state=FILED, batch_id=batch(engine, 3))

    assert follow_steps(engine.url, tried)[0] == [["a"], ["a"]]


@pytest.mark.parametrize(
    "filters",
    [Filters(label="food"), Filters(name="*.jpg", min_probability=0.7), Filters(name="a*"), Filters(states=("filed",))],
)
def test_filters_apply_to_new_photos(engine: sa.Engine, filters: Filters) -> None:
    def three_more() -> None:
        batch(engine, 3)
        add(engine, "b.png", batch_id=3, predicted_label="non_food", state="undone")
        add(engine, "c.jpg", batch_id=3, predicted_label="unsure", probability=0.4, state="undone")
        add(engine, "a.jpg", batch_id=3)

    assert follow_steps(engine.url, three_more, filters=filters)[0] == [[], ["a.jpg"]]


def test_a_missing_database_is_waited_for_and_reported_once(tmp_path: Path) -> None:
    address = addresses.database_url(tmp_path, "")

    def made_now() -> None:
        engine = make_database(address)
        add(engine, "a")
        engine.dispose()

    names, errors = follow_steps(address, lambda: None, lambda: None, made_now)
    assert names == [[], [], [], ["a"]]
    assert len(errors) == 1
    assert "does not exist" in errors[0]


def test_a_new_database_is_followed_from_its_first_row(tmp_path: Path) -> None:
    address = addresses.database_url(tmp_path, "")
    old = make_database(address)
    batch(old, 3)
    add(old, "old", batch_id=3)
    old.dispose()

    def moved_aside() -> None:
        for file in tmp_path.glob("foodsort.db*"):
            file.unlink()

    def made_anew() -> None:
        engine = make_database(address)
        add(engine, "new")
        engine.dispose()

    names, errors = follow_steps(address, moved_aside, made_anew)
    assert names == [["old"], [], ["new"]]
    assert len(errors) == 1


def test_a_stopped_server_is_waited_for(cluster: Cluster) -> None:
    with made(cluster) as address:
        engine = make_database(address)
        add(engine, "a")

        def back() -> None:
            cluster.start()
            batch(engine, 3)
            add(engine, "b", batch_id=3)

        try:
            engine.dispose()
            names, errors = follow_steps(address, cluster.stop, lambda: None, back)
        finally:
            cluster.start()
        engine.dispose()
    assert names == [["a"], [], [], ["b"]]
    assert len(errors) == 1


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.1)
    address = addresses.database_url(tmp_path, "")
    engine = make_database(address)
    add(engine, "a")
    engine.dispose()
    holder: list[sa.Connection] = []

    def lock() -> None:
        connection = engine.connect()
        connection.exec_driver_sql("PRAGMA locking_mode = EXCLUSIVE")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        holder.append(connection)

    def unlock() -> None:
        holder[0].invalidate()
        batch(engine, 3)
        add(engine, "b", batch_id=3)

    names, errors = follow_steps(address, lock, lambda: None, unlock)
    assert names == [["a"], [], [], ["b"]]
    assert ["locked" in words for words in errors] == [True]
    engine.dispose()


def test_following_reads_only_new_photos(tmp_path: Path) -> None:
    plans: list[str] = []
    engine = make_database(addresses.database_url(tmp_path, ""))
    add(engine, "a", state="filed")

    def come() -> None:
        batch(engine, 3)
        add(engine, "b", batch_id=3)

    def see(connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        lines = connection.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, values)
        plans.extend(line[3] for line in lines)

    def listen() -> None:
        sa.event.listen(sa.Engine, "before_cursor_execute", see)

    try:
        follow_steps(
            engine.url, listen, come, lambda: None, filters=Filters(states=("filed",), label="food", name="b*")
        )
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", see)
    engine.dispose()
    of_photos = {line for line in plans if line.startswith(("SCAN p", "SEARCH p"))}
    assert of_photos == {
        "SEARCH photos USING COVERING INDEX ix_photos_batch_id (batch_id>? AND batch_id<?)",
        "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)",
    }
