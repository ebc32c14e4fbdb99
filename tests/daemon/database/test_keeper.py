import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections, keeper
from daemon.database.addresses import DatabaseError
from daemon.database.in_flight import InFlight
from daemon.database.keeper import DatabaseKeeper
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import PriorRecord, RecordedBatch
from daemon.retry import is_transient
from models.bundle import Bundle
from tests.daemon.database.test_recorder import BATCH, row


class Daemon:
    """What the daemon does with its database, without the daemon."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "foodsort.db"
        self.refusal: str | None = None
        self.engine = connections.connect(addresses.database_url(folder, ""))
        self.recorder = Recorder(self.engine)
        self.keeper = DatabaseKeeper(self.engine, self._admit, lambda message: None)
        self.lookup = Lookup(self.engine)
        self.recorder.use_model(Bundle.load())

    def _admit(self, engine: sa.Engine, rows: InFlight) -> None:
        if self.refusal:
            raise DatabaseError(self.refusal)
        self.recorder.move_to(engine, rows)

    def begin(self, name: bytes) -> list[int]:
        recorded: RecordedBatch = retried(lambda: self.recorder.begin(BATCH, [row(name)], [PriorRecord()]))
        return recorded.photo_ids

    def file(self, name: bytes) -> None:
        ids = self.begin(name)
        retried(lambda: self.recorder.finish(ids))

    def kinds(self) -> list[str]:
        return [event.kind for event in self.keeper.take_events()]

    def close(self) -> None:
        self.recorder.close()
        self.keeper.close()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setattr(keeper, "_STILL_S", 0.0)
    (tmp_path / "root").mkdir()
    with closing(Daemon(tmp_path / "root")) as daemon:
        yield daemon


def retried(operation: Callable[[], Any], most: int = 5) -> Any:
    """What the daemon's retrier does, without its pauses."""
    for _ in range(most):
        try:
            return operation()
        except Exception as error:
            if not is_transient(error):
                raise
            last = error
    raise last


def states(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT name, state FROM photos").fetchall())


def backup(path: Path) -> Path:
    """A copy of a database through SQLite, as documented."""
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


@pytest.mark.parametrize("how", ["removed", "removed with its log", "renamed"])
def test_a_file_that_lost_its_name_is_written_back_with_all_rows(daemon: Daemon, how: str) -> None:
    daemon.file(b"a")
    daemon.path.chmod(0o640)
    ids = daemon.begin(b"b")
    renamed = daemon.path.with_name("renamed.db")
    if how == "renamed":
        daemon.path.rename(renamed)
    else:
        for path in daemon.path.parent.glob("foodsort.db*" if how == "removed with its log" else "foodsort.db"):
            path.unlink()
    daemon.keeper.check()
    retried(lambda: daemon.recorder.finish(ids))
    daemon.file(b"c")
    assert daemon.kinds() == ["database_restored"]
    daemon.close()
    assert states(daemon.path) == {"a": "filed", "b": "filed", "c": "filed"}
    assert daemon.path.stat().st_mode & 0o777 == 0o640
    if how == "renamed":  # complete without its log, which has the name of the other file
        assert states(renamed) == {"a": "filed", "b": "filing"}
        renamed.unlink()
    assert [path.name for path in daemon.path.parent.iterdir()] == ["foodsort.db"]


def test_no_row_is_written_into_a_file_without_a_name(daemon: Daemon) -> None:
    daemon.file(b"a")
    daemon.path.unlink()
    daemon.file(b"b")  # nobody called `check` before
    assert daemon.kinds() == ["database_restored"]
    assert states(daemon.path) == {"a": "filed", "b": "filed"}


def test_a_commit_that_went_into_a_file_without_a_name_is_repeated(daemon: Daemon) -> None:
    replacement = backup(daemon.path)
    engine = daemon.engine

    def replace(_connection: sa.Connection) -> None:
        if replacement.exists():
            os.replace(replacement, daemon.path)

    sa.event.listen(engine, "commit", replace)
    retried(lambda: daemon.recorder.event("skipped", None, "a link"))
    retried(daemon.keeper.check)  # else this test would read the old log
    with closing(sqlite3.connect(daemon.path)) as connection:
        assert connection.execute("SELECT kind FROM events").fetchall() == [("skipped",)]


def test_a_file_that_was_replaced_is_opened_again_and_rows_in_flight_come_along(daemon: Daemon) -> None:
    daemon.file(b"a")
    replacement = backup(daemon.path)
    daemon.file(b"b")
    ids = daemon.begin(b"c")
    os.replace(replacement, daemon.path)
    daemon.file(b"d")
    retried(lambda: daemon.recorder.finish(ids))
    assert daemon.kinds() == ["database_replaced"]
    assert states(daemon.path) == {"a": "filed", "c": "filed", "d": "filed"}
    (kept,) = daemon.path.parent.glob("foodsort.db.replaced-*")  # nothing is thrown away
    assert states(kept) == {"a": "filed", "b": "filed", "c": "filing"}


def test_the_log_of_a_file_is_never_applied_to_the_one_that_replaced_it(daemon: Daemon) -> None:
    replacement = backup(daemon.path)
    for number in range(30):
        daemon.file(b"%d" % number)
    assert daemon.path.with_name("foodsort.db-wal").stat().st_size > 4096
    os.replace(replacement, daemon.path)
    retried(daemon.keeper.check)
    assert states(daemon.path) == {}


def test_an_id_that_another_photo_has_in_the_replacement_is_left_to_it(daemon: Daemon) -> None:
    replacement = backup(daemon.path)
    engine = connections.connect(sa.URL.create("sqlite", database=str(replacement)))
    others = Recorder(engine)
    others.use_model(Bundle.load())
    others.begin(BATCH, [row(b"other")], [PriorRecord()])
    engine.dispose()
    with closing(sqlite3.connect(replacement)) as connection, connection:
        connection.execute("UPDATE photos SET state = 'retry'")
    ids = daemon.begin(b"a")
    os.replace(replacement, daemon.path)
    retried(lambda: daemon.recorder.finish(ids))
    assert states(daemon.path) == {"other": "retry"}


@pytest.mark.parametrize("what", ["empty", "garbage", "of another root"])
def test_a_replacement_that_cannot_be_used_is_renamed_and_the_rows_are_written_back(daemon: Daemon, what: str) -> None:
    daemon.file(b"a")
    replacement = backup(daemon.path)
    if what == "of another root":
        daemon.refusal = "it belongs to another root"
    else:
        replacement.write_bytes(b"" if what == "empty" else b"my diary" * 1000)
    before = replacement.read_bytes()
    os.replace(replacement, daemon.path)
    daemon.file(b"b")
    assert daemon.kinds() == ["database_restored"]
    assert states(daemon.path) == {"a": "filed", "b": "filed"}
    (aside,) = daemon.path.parent.glob("foodsort.db.refused-*Z")
    assert aside.read_bytes() == before


@pytest.mark.parametrize("has_database", [True, False])
def test_a_folder_that_was_removed_and_restored_is_used_again(
    daemon: Daemon, tmp_path: Path, has_database: bool
) -> None:
    folder = daemon.path.parent
    daemon.file(b"a")
    backup(daemon.path).rename(tmp_path / "backup.db")
    shutil.rmtree(folder)
    with pytest.raises(DatabaseError, match="cannot be written back"):
        daemon.file(b"b")
    folder.mkdir()
    if has_database:
        (tmp_path / "backup.db").rename(daemon.path)
    daemon.file(b"b")
    assert daemon.kinds() == ["database_replaced" if has_database else "database_restored"]
    assert states(daemon.path) == {"a": "filed", "b": "filed"}


def test_a_replacement_is_used_when_it_stands_still(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(keeper, "_STILL_S", 1.0)
    monkeypatch.setattr("time.monotonic", lambda: now)
    replacement = backup(daemon.path)
    whole = replacement.read_bytes()
    replacement.write_bytes(whole[:5000])
    os.replace(replacement, daemon.path)
    for size in (5000, 9000, len(whole)):
        daemon.path.write_bytes(whole[:size])
        with pytest.raises(DatabaseError, match="waiting until the new file is complete"):
            daemon.keeper.check()
        now += 0.9
    now += 0.2
    daemon.keeper.check()
    assert daemon.kinds() == ["database_replaced"]
    assert not list(daemon.path.parent.glob("foodsort.db.refused-*"))


def test_rows_that_cannot_be_read_any_more_give_way_to_a_new_database(daemon: Daemon) -> None:
    daemon.recorder.begin(BATCH, [row(b"%d" % number) for number in range(300)], [PriorRecord()] * 300)
    with closing(sqlite3.connect(daemon.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = daemon.path.stat().st_size
    os.truncate(daemon.path, size // 2)
    daemon.path.unlink()
    daemon.file(b"a")
    assert daemon.kinds() == ["database_lost"]
    assert states(daemon.path) == {"a": "filed"}
    assert len(list(daemon.path.parent.glob("foodsort.db.corrupt-*"))) == 1  # for `foodsort repair`


def test_a_file_that_is_gone_is_not_created_by_reading(daemon: Daemon) -> None:
    engine = connections.connect_to_write(addresses.database_url(daemon.path.parent, ""), keep_open=False)
    moved = daemon.path.rename(daemon.path.with_name("moved.db"))
    with pytest.raises(DatabaseError, match="does not exist"), engine.connect():
        pass
    assert not daemon.path.exists()
    moved.rename(daemon.path)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM photos")).scalar() == 0
    engine.dispose()


def test_a_read_error_of_the_disk_while_it_runs_is_waited_for(daemon: Daemon) -> None:
    """SQLite reports it as damage; a new connection finds none."""
    engine = daemon.engine

    def fail(*_arguments: object) -> None:
        sa.event.remove(engine, "before_cursor_execute", fail)
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    sa.event.listen(engine, "before_cursor_execute", fail)
    daemon.file(b"a")
    assert states(daemon.path) == {"a": "filed"}


def test_a_file_that_cannot_be_read_at_the_start_is_named(tmp_path: Path) -> None:
    engine = connections.connect(addresses.database_url(tmp_path, ""))
    engine.dispose()
    (tmp_path / "foodsort.db").write_bytes(b"no database, but long enough for a page" * 1000)
    with pytest.raises(DatabaseError, match=r"foodsort\.db cannot be read: file is not a database") as raised:
        DatabaseKeeper(engine, lambda *_: None, lambda message: None)
    assert not is_transient(raised.value)


def test_a_read_error_at_the_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(keeper, "OpenFile", fail)
    engine = connections.connect(addresses.database_url(tmp_path, ""))
    with pytest.raises(DatabaseError, match="cannot be read: disk I/O error") as raised:
        DatabaseKeeper(engine, lambda *_: None, lambda message: None)
    assert is_transient(raised.value)
    engine.dispose()
