"""A PostgreSQL server that stops, breaks connections or is read-only, and slow readers of both kinds of database."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.database.recorder import Recorder
from tests.daemon.conftest import Foodsort, Photo, running, started, status, tree, until, waits_for
from tests.daemon.doctor.findings import examine
from tests.daemon.photos import sort_photo
from tests.daemon.rows import connect, event_messages, rows
from tests.programs.postgres import Cluster, made

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parents[2] / "programs"


@pytest.fixture
def results(cluster: Cluster, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.URL]:
    """A database on a server for the results of the root."""
    with made(cluster) as address:
        monkeypatch.setenv("FOODSORT_DATABASE__URL", str(address).replace("+psycopg", ""))
        yield address


def drop(root: Path, photo: Photo, shades: range) -> None:
    for shade in shades:
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))


def check(root: Path, photo: Photo, shades: range) -> None:
    """Checks that each photo is in its place, with one row."""
    assert {name: data for name, data in tree(root).items() if name != "foodsort.toml"} == {
        f"food/{shade}.jpg": photo(shade=shade) for shade in shades
    }
    assert sorted((row["path"], row["state"]) for row in rows(root)) == sorted(
        (f"food/{shade}.jpg", "filed") for shade in shades
    )


def backends(cluster: Cluster, address: sa.URL) -> list[int]:
    return [row[0] for row in cluster.ask("SELECT pid FROM pg_stat_activity WHERE datname = %s", address.database)]


def test_terminated_connections_lose_and_duplicate_no_photo(
    cluster: Cluster, results: sa.URL, root: Path, photo: Photo
) -> None:
    with running(root) as daemon:
        for begin in range(0, 100, 20):
            drop(root, photo, range(begin, begin + 20))
            until(lambda begin=begin: len(os.listdir(root / "food")) > begin, daemon)  # type: ignore[misc]
            cluster.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", results.database)
        until(lambda: len(os.listdir(root / "food")) == 100, daemon)
        # A stop would end the wait for the last rows; the next start finishes them.
        until(lambda: {row["state"] for row in rows(root)} == {"filed"}, daemon)
        until(lambda: status(root)["waiting_for"] is None, daemon)
    check(root, photo, range(100))


def test_the_daemon_waits_for_a_crashed_server(cluster: Cluster, results: sa.URL, root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        drop(root, photo, range(10))
        until(lambda: os.listdir(root / "food") != [], daemon)
        for pid in backends(cluster, results)[:1]:
            os.kill(pid, signal.SIGKILL)  # by which all of the server goes through its recovery
        drop(root, photo, range(10, 20))
        until(lambda: len(os.listdir(root / "food")) == 20, daemon)
    check(root, photo, range(20))


def test_a_server_that_crashes_at_a_commit_loses_and_doubles_nothing(results: sa.URL, root: Path, photo: Photo) -> None:
    crashes = root / "crashes.txt"
    with running(root, sys.executable, str(PROGRAMS / "crashing_commits.py"), "7") as daemon:
        for begin in range(0, 14, 2):
            drop(root, photo, range(begin, begin + 2))
            until(lambda begin=begin: len(os.listdir(root / "food")) == begin + 2, daemon)  # type: ignore[misc]
        # Not by a question to the database: the server may be down.
        until(lambda: status(root)["waiting_for"] is None and status(root)["queue"]["in_flight"] == 0, daemon)
    assert set(crashes.read_text().split()) == {"before", "after"}
    crashes.unlink()
    check(root, photo, range(14))


def test_the_daemon_waits_for_a_stopped_server_while_running_and_at_the_start(
    cluster: Cluster, results: sa.URL, root: Path, photo: Photo
) -> None:
    try:
        with running(root) as daemon:
            drop(root, photo, range(5))
            until(lambda: len(os.listdir(root / "food")) == 5, daemon)
            cluster.stop()
            drop(root, photo, range(5, 10))
            until(lambda: waits_for(root, "connect"), daemon)
            assert len(os.listdir(root / "food")) == 5
            cluster.start()
            until(lambda: len(os.listdir(root / "food")) == 10, daemon)
        cluster.stop()
        drop(root, photo, range(10, 15))
        with started(root) as daemon:
            until(lambda: waits_for(root, "connect"), daemon)
            cluster.start()
            until(lambda: len(os.listdir(root / "food")) == 15, daemon)
    finally:
        cluster.start()
    check(root, photo, range(15))


def test_the_daemon_waits_for_a_read_only_server(cluster: Cluster, results: sa.URL, root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        cluster.ask(f"ALTER DATABASE {results.database} SET default_transaction_read_only = on")
        cluster.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", results.database)
        drop(root, photo, range(3))
        until(lambda: waits_for(root, "read-only"), daemon)
        cluster.ask(f"ALTER DATABASE {results.database} SET default_transaction_read_only = off")
        cluster.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", results.database)
        until(lambda: len(os.listdir(root / "food")) == 3, daemon)
    check(root, photo, range(3))


@pytest.mark.usefixtures("each_database")
def test_a_slow_reader_blocks_no_writer(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        sort_photo(root, photo(shade=0), "0.jpg", daemon)
        with connect(root) as reader:
            if reader.dialect.name == "sqlite":
                reader.exec_driver_sql("BEGIN")  # which Python's driver leaves out before a question
            else:
                reader.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            count = sa.text("SELECT count(*) FROM results")
            assert reader.execute(count).scalar() == 1
            drop(root, photo, range(1, 30))
            until(lambda: len(rows(root)) == 30 and {row["state"] for row in rows(root)} == {"filed"}, daemon)
            assert reader.execute(count).scalar() == 1  # its transaction was open all the time
    check(root, photo, range(30))


def test_the_log_is_reused_after_a_slow_reader(root: Path, photo: Photo) -> None:
    path, log = root / "foodsort.db", root / "foodsort.db-wal"

    def write(shade: int) -> int:
        """Writes twice the size of the log that starts a checkpoint in SQLite; returns the size of the log."""
        sort_photo(root, photo(shade=shade), f"{shade}.jpg", daemon)
        for _ in range(20):
            store.event("test", None, "x" * 400_000)
        sort_photo(root, photo(shade=shade + 1), f"{shade + 1}.jpg", daemon)
        return log.stat().st_size

    with running(root) as daemon:
        store = Recorder(connections.connect_to_write(addresses.database_url(root, "")))
        most = write(0)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            (before,) = reader.execute("SELECT count(*) FROM results").fetchone()
            held = write(2)
            assert held > 1.5 * most  # nothing that came after the reader's beginning could be written over
            assert reader.execute("SELECT count(*) FROM results").fetchone() == (before,)
        write(4)
        assert write(6) <= held + most
        with closing(sqlite3.connect(path)) as checking:
            busy, frames, copied = checking.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, frames - copied) == (0, 0)
        assert log.stat().st_size < held / 10  # the daemon may have begun to write again
        store.close()
    assert not log.exists()


@pytest.mark.usefixtures("results")
def test_every_command_works_with_a_server(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/soup.jpg").write_bytes(photo("food"))
    (root / "inbox/sea.jpg").write_bytes(photo("non_food", 1))
    (root / "inbox/link.jpg").symlink_to("nowhere")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert len(event_messages(root, "skipped")) == 1
    code, out, _ = foodsort("results", "--root", root, "--name", "s*", "--format", "json")
    assert (code, [row["path"] for row in json.loads(out)]) == (0, [row["path"] for row in reversed(rows(root))])
    assert "soup.jpg" in foodsort("results", "--root", root, "--label", "food", "--min-probability", "0.6")[1]
    assert foodsort("run", "--root", root, "--dry-run")[0] == 0
    code, found = examine(root, foodsort)
    assert (code, found["database"][0]) == (0, "ok")
    assert "undamaged" not in found["database"][1]
    assert foodsort("undo", "--root", root, "--last")[1].endswith("`foodsort retry PATH`\n")
    assert foodsort("retry", "--root", root, "inbox")[0] == 0
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert sorted(row["path"] for row in rows(root)) == ["food/soup.jpg", "non_food/sea.jpg"]
    assert not (root / "foodsort.db").exists()


def test_an_unreachable_server_is_reported(results: sa.URL, root: Path, foodsort: Foodsort, cluster: Cluster) -> None:
    cluster.stop()
    try:
        code, found = examine(root, foodsort, "--quick")
        assert (code, found["database"][0]) == (1, "problem")
        code, _, err = foodsort("results", "--root", root)
        assert (code, "cannot be read" in err, "Traceback" in err) == (1, True, False)
    finally:
        cluster.start()
