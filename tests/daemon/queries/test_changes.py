import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections, schema
from daemon.database.addresses import DatabaseError
from daemon.photo import CORRECTING, DELETED, FAILED, FILED, FILING, MISSING, UNDOING, UNDONE
from daemon.queries import changes
from daemon.queries.changes import ChangeReader, OtherDatabase, Step
from daemon.queries.filters import Filters
from daemon.queries.positions import Position
from tests.daemon.sample_database import DAY, add, make_database
from tests.programs.postgres import Cluster, made

START = Position()


def register(engine: sa.Engine, root_id: str = "r") -> sa.Engine:
    """Makes the database that of a root."""
    row = {"id": 1, "root_id": root_id, "path": "/photos", "first_used_at": DAY % 1}
    with engine.begin() as connection:
        connection.execute(schema.roots.delete())
        connection.execute(schema.roots.insert().values(row))
    return engine


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    engine = register(make_database(address))
    yield engine
    engine.dispose()


def change(engine: sa.Engine, photo_id: int, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(schema.photos.update().where(schema.photos.c.id == photo_id).values(values))


def read(
    address: sa.URL, position: Position = START, filters: Filters | None = None, *steps: Callable[[], object]
) -> tuple[list[Any], Position]:
    """Names, states and labels of the photos that come before, between and after the steps; and the last position."""
    remaining = iter(steps)
    found: list[Any] = []

    def pause(_pause_s: float) -> bool:
        step = next(remaining, None)
        if step:
            step()
        return step is not None

    def fail(error: DatabaseError) -> None:
        raise AssertionError(error)

    for step in ChangeReader(address, filters or Filters(), position, pause, fail):
        position = step.position
        if step.row:
            found.append((step.row["name"], step.row["state"], step.row["label"]))
    return found, position


def test_photos_come_in_the_order_in_which_they_came_to_rest(engine: sa.Engine) -> None:
    ids = {name: add(engine, name, state=FILING) for name in "abc"}
    for name in "bca":
        change(engine, ids[name], state=FILED)
    found, position = read(engine.url)
    assert [name for name, _, _ in found] == ["b", "c", "a"]
    add(engine, "d")
    assert [name for name, _, _ in read(engine.url, position)[0]] == ["d"]


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_reading_goes_on_after_each_position(engine: sa.Engine, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_CHANGES", at_once)
    for name in "abcde":
        add(engine, name)
    seen = []
    position = Position()
    for _ in range(5):
        step = next(iter(ChangeReader(engine.url, Filters(), position, lambda _: False, lambda _: None)))
        position = step.position
        seen.append(step.row and step.row["name"])
    assert seen == list("abcde")
    assert read(engine.url, position)[0] == []


def test_a_photo_on_its_way_comes_when_it_has_arrived(engine: sa.Engine) -> None:
    photo_id = add(engine, "a", state=FILING)
    found, _ = read(
        engine.url, START, None, lambda: change(engine, photo_id, state=FAILED, error_kind="empty"), lambda: None
    )
    assert found == [("a", FAILED, "food")]


def review(engine: sa.Engine, photo_id: int, label: str) -> None:
    with engine.begin() as connection:
        row = {"photo_id": photo_id, "label": label, "reviewed_at": DAY % 2}
        connection.execute(schema.reviews.insert().values(row))


def test_a_correction_and_its_withdrawal_bring_the_photo_again(engine: sa.Engine) -> None:
    photo_id = add(engine, "a")

    def correct() -> None:
        change(engine, photo_id, state=CORRECTING)
        review(engine, photo_id, "non_food")

    def withdraw() -> None:
        with engine.begin() as connection:
            connection.execute(schema.reviews.delete())

    found, _ = read(
        engine.url, START, None, correct, lambda: change(engine, photo_id, state=FILED, path="n/a"), withdraw
    )
    assert found == [("a", FILED, "food"), ("a", FILED, "non_food"), ("a", FILED, "food")]


@pytest.mark.parametrize(("moving", "state"), [(UNDOING, UNDONE), ("deleting", DELETED), (FILED, MISSING)])
def test_a_photo_that_leaves_its_place_comes_again(engine: sa.Engine, moving: str, state: str) -> None:
    photo_id = add(engine, "a")
    steps = (lambda: change(engine, photo_id, state=moving), lambda: change(engine, photo_id, state=state))
    assert read(engine.url, START, None, *steps)[0] == [("a", FILED, "food"), ("a", state, "food")]


def test_changes_that_concern_no_reader_bring_nothing(engine: sa.Engine) -> None:
    photo_id = add(engine, "a")
    _, position = read(engine.url)
    change(engine, photo_id, identity="2:2", sha256="b")
    change(engine, photo_id, state=FILED)
    assert read(engine.url, position) == ([], position)


def test_filters_apply_and_other_photos_count_as_read(engine: sa.Engine) -> None:
    add(engine, "a", predicted_label="non_food", probability=0.1)
    add(engine, "b")
    photo_id = add(engine, "c", predicted_label="unsure", probability=None)
    found, position = read(engine.url, START, Filters(label="food", min_probability=0.5, states=(FILED,)))
    assert [name for name, _, _ in found] == ["b"]
    assert position.photo == photo_id


def test_a_late_transaction_with_a_lower_number_is_not_skipped(cluster: Cluster) -> None:
    with made(cluster) as address:
        engine = register(make_database(address))
        early = add(engine, "early", state=FILING)
        rolled_back = add(engine, "rolled back", state=FILING)
        at_rest = schema.photos.update().values(state=FILED)
        with engine.connect() as first, engine.connect() as second:
            first.execute(at_rest.where(schema.photos.c.id == early))
            second.execute(at_rest.where(schema.photos.c.id == rolled_back))
            second.rollback()
            add(engine, "late")
            found, position = read(address)
            assert found == [("late", FILED, "food")]
            assert position.missing == ((1, 2),)
            first.commit()
        found, position = read(address, position)
        assert found == [("early", FILED, "food")]
        assert position.missing == ((2, 2),)
        assert read(address, position) == ([], position)
        engine.dispose()


def _sort(address: sa.URL, writer: int, photos: int) -> None:
    """Sorts and corrects photos as a daemon and a command would, in transactions of random length."""
    chance = random.Random(writer)
    engine = connections.connect(address)
    for number in range(photos):
        photo_id = add(engine, f"{writer}-{number}", state=FILING)
        with engine.begin() as connection:
            connection.execute(
                schema.photos.update().where(schema.photos.c.id == photo_id).values(state=FILED, path="food")
            )
            time.sleep(chance.random() / 100)
        if number % 5 == 0:
            review(engine, photo_id, "non_food")
    engine.dispose()


def test_no_photo_of_concurrent_writers_is_skipped(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 60)  # SQLite's writers do not queue
    writers, photos = 4, 40
    position = Position()
    last: dict[str, Any] = {}
    with ThreadPoolExecutor(writers) as pool:
        sorting = [pool.submit(_sort, engine.url, writer, photos) for writer in range(writers)]
        is_complete = False
        while not is_complete:  # each round is a reader of its own, which begins where the one before was killed
            is_over = all(one.done() for one in sorting)
            errors: list[DatabaseError] = []
            step: Step
            for step in ChangeReader(engine.url, Filters(), position, lambda _: False, errors.append):
                position = step.position
                if step.row:
                    last[step.row["name"]] = step.row["label"]
            is_complete = is_over and not errors
        assert [one.exception() for one in sorting] == [None] * writers
    names = [(writer, number) for writer in range(writers) for number in range(photos)]
    assert last == {f"{writer}-{number}": "food" if number % 5 else "non_food" for writer, number in names}


def test_the_position_of_another_database_is_refused(engine: sa.Engine) -> None:
    add(engine, "a")
    _, position = read(engine.url)
    register(engine, "another")
    with pytest.raises(OtherDatabase, match="belongs to another database"):
        read(engine.url, position)


def test_a_position_after_the_newest_change_of_a_restored_copy_is_refused(engine: sa.Engine) -> None:
    add(engine, "a")
    add(engine, "b")
    _, position = read(engine.url)
    with engine.begin() as connection:
        connection.execute(schema.changes.delete().where(schema.changes.c.id == position.change))
    with pytest.raises(OtherDatabase, match="an older copy was restored"):
        read(engine.url, position)


def test_a_database_without_a_root_is_waited_for(tmp_path: Path) -> None:
    engine = make_database(addresses.database_url(tmp_path, ""))
    add(engine, "a")
    errors: list[str] = []
    found: list[str] = []

    def pause(_pause_s: float) -> bool:
        if found:
            return False
        register(engine)
        return True

    for step in ChangeReader(engine.url, Filters(), Position(), pause, lambda error: errors.append(str(error))):
        assert step.row
        found.append(step.row["name"])
    engine.dispose()
    assert found == ["a"]
    assert len(errors) == 1
    assert "belongs to no root yet" in errors[0]


def test_following_reads_only_new_changes(tmp_path: Path) -> None:
    plans: list[str] = []
    engine = register(make_database(addresses.database_url(tmp_path, "")))
    add(engine, "a")

    def see(connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        lines = connection.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, values)
        plans.extend(line[3] for line in lines)

    sa.event.listen(sa.Engine, "before_cursor_execute", see)
    try:
        read(engine.url, START, Filters(states=("filed",), label="food", name="a*"))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", see)
    engine.dispose()
    assert {line for line in plans if line.startswith(("SCAN p", "SEARCH p", "SCAN c", "SEARCH c"))} == {
        "SEARCH changes USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH changes USING INTEGER PRIMARY KEY (rowid>?)",
        "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH c USING INDEX ix_companions_photo_id (photo_id=?)",
    }
