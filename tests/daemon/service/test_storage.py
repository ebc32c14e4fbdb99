"""Full or read-only disks, and locked, unreachable or damaged databases, at the start and later."""

import os
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from daemon.database import addresses, connections
from tests.daemon.conftest import Foodsort, Photo, fill, mounted, running, started, status, until, waits_for
from tests.daemon.photos import sort_photo
from tests.daemon.rows import event_messages, rows

pytestmark = pytest.mark.slow

# Sent to systemd before each pause of a retry; a root without room has no status.
WAITING = "EXTEND_TIMEOUT_USEC=300000000"


@pytest.fixture
def short_timeout(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a database whose lock SQLite waits for only a short time."""
    monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{root}/foodsort.db?timeout=0.1")
    connections.connect(addresses.database_url(root, "")).dispose()
    return root


def test_the_daemon_waits_for_a_database_locked_at_the_start(short_timeout: Path, photo: Photo) -> None:
    with closing(sqlite3.connect(short_timeout / "foodsort.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with started(short_timeout) as daemon:
            until(lambda: waits_for(short_timeout, "locked"), daemon)
            holder.rollback()
            sort_photo(short_timeout, photo(), "a.jpg", daemon)


def test_a_stop_ends_the_wait_for_a_database(short_timeout: Path) -> None:
    with closing(sqlite3.connect(short_timeout / "foodsort.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with started(short_timeout) as daemon:
            until(lambda: waits_for(short_timeout, "locked"), daemon)
            daemon.terminate()
            assert daemon.wait(20) == 0


def test_the_daemon_waits_for_a_database_locked_later(short_timeout: Path, photo: Photo) -> None:
    with running(short_timeout) as daemon, closing(sqlite3.connect(short_timeout / "foodsort.db")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        (short_timeout / "inbox/a.jpg").write_bytes(photo())
        (short_timeout / "inbox/link.jpg").symlink_to("nowhere")  # an event to record, which needs the database too
        until(lambda: waits_for(short_timeout, "locked"), daemon)
        assert status(short_timeout)["state"] == "waiting"
        holder.rollback()
        until((short_timeout / "food/a.jpg").exists, daemon)
        until(lambda: len(event_messages(short_timeout, "skipped")) == 1, daemon)
        until(lambda: status(short_timeout)["waiting_for"] is None, daemon)


def test_the_daemon_waits_for_an_unreachable_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # bound, so that no other program listens there
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(
            "FOODSORT_DATABASE__URL", f"postgresql+psycopg://me:secret@127.0.0.1:{closed.getsockname()[1]}/photos"
        )
        with started(root) as daemon:
            until(lambda: waits_for(root, "refused"), daemon)
            assert "secret" not in (root / "daemon.log").read_text()


def test_a_dry_run_connects_to_the_server_too(root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    code, _, err = foodsort("run", "--root", root, "--dry-run")
    assert (code, "cannot be read" in err) == (1, True)


@pytest.mark.system
def test_the_daemon_waits_for_room_for_the_database(root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted(root / "disk", "size=900k") as disk:
        monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{disk}/photos.db")
        filling = fill(disk)
        with started(root) as daemon:
            until(lambda: status(root)["state"] == "waiting", daemon)
            filling.unlink()
            sort_photo(root, photo(shade=1), "a.jpg", daemon)
            filling = fill(disk)
            for number in range(2, 60):
                (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
            until(lambda: waits_for(root, "full") or waits_for(root, "I/O"), daemon)
            filling.unlink()
            until(lambda: len(os.listdir(root / "food")) == 59, daemon)
        monkeypatch.delenv("FOODSORT_DATABASE__URL")


@pytest.mark.system
@pytest.mark.parametrize("options", ["ro", "rw"])
def test_the_daemon_waits_for_a_full_or_read_only_root_at_the_start(
    root: Path, photo: Photo, tmp_path: Path, notifications: list[str], options: str
) -> None:
    with mounted(root, "size=1m"):
        filling = fill(root)
        subprocess.run(["mount", "-o", f"remount,{options}", root], check=True)
        with started(root, log=tmp_path / "log") as daemon:
            until(lambda: WAITING in notifications, daemon)
            subprocess.run(["mount", "-o", "remount,rw", root], check=True)
            filling.unlink()
            until((root / "inbox").exists, daemon)
            sort_photo(root, photo(), "a.jpg", daemon)


@pytest.mark.system
def test_the_daemon_waits_for_room_for_claims(root: Path, photo: Photo) -> None:
    with mounted(root / "inbox", "size=1m", "nr_inodes=30") as inbox, running(root) as daemon:
        (inbox / "trip").mkdir()
        (inbox / "trip/a.jpg").write_bytes(photo())
        # The filesystem has no inode left for the claim's folder.
        made = [path for path in (inbox / f".{number}" for number in range(40)) if _touched(path)]
        until(lambda: waits_for(root, "cannot be taken"), daemon)
        for path in made:
            path.unlink()
        until((root / "food/trip/a.jpg").exists, daemon)
        until(lambda: status(root)["waiting_for"] is None, daemon)
        assert event_messages(root, "refused") == []


def _touched(path: Path) -> bool:
    try:
        path.touch()
    except OSError:
        return False
    return True


@pytest.mark.system
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_the_daemon_waits_for_a_full_or_read_only_destination(root: Path, photo: Photo, trouble: str) -> None:
    with mounted(root / "food", "size=64k") as food, running(root) as daemon:
        filling = fill(food)
        if trouble == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", food], check=True)
        (root / "inbox/a.jpg").write_bytes(photo())
        until(lambda: waits_for(root, "No space left" if trouble == "full" else "Read-only"), daemon)
        subprocess.run(["mount", "-o", "remount,rw", food], check=True)
        filling.unlink()
        until((food / "a.jpg").exists, daemon)
        until(lambda: [row["state"] for row in rows(root)] == ["filed"], daemon)
        assert os.listdir(food) == ["a.jpg"]


@pytest.mark.parametrize("how", ["header", "page", "cut off"])
def test_a_damaged_database_is_refused_and_stays(root: Path, photo: Photo, foodsort: Foodsort, how: str) -> None:
    for number in range(40):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    path = root / "foodsort.db"
    whole = path.read_bytes()
    damaged = {
        "header": b"my diary" + whole[8:],
        "page": whole[:8192] + b"\xa5" * 4096 + whole[12288:],
        "cut off": whole[: len(whole) // 2],
    }[how]
    path.write_bytes(damaged)
    (root / "inbox/new.jpg").write_bytes(photo(shade=99))
    code, _, err = foodsort("run", "--root", root, "--once")
    assert (code, "is damaged" in err, "`foodsort repair`" in err) == (1, True, True)
    assert path.read_bytes() == damaged
    assert not list(root.glob("foodsort.db.*"))
    assert (root / "inbox/new.jpg").exists()
    path.write_bytes(whole)  # a backup
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert len(rows(root)) == 41


def test_a_database_damaged_later_ends_the_daemon_and_keeps_the_photo(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "a.jpg", daemon)
        path = root / "foodsort.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = path.stat().st_size
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.write(b"\xa5" * size)
        (root / "inbox/b.jpg").write_bytes(photo(shade=2))
        assert daemon.wait(60) == 1
    log = (root / "daemon.log").read_text()
    assert "is damaged" in log
    assert "Traceback" not in log
    assert foodsort("run", "--root", root, "--once")[0] == 1
    path.write_bytes(whole)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert (root / "food/b.jpg").exists()
    assert len(rows(root)) == 2


@pytest.mark.parametrize("how", ["missing", "tampered"])
def test_a_bundle_that_is_missing_or_tampered_with_is_refused(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, photo: Photo, how: str
) -> None:
    bundle = root / "bundle"
    if how == "tampered":
        bundle.mkdir()
        for path in (Path(__file__).parents[3] / "models/food").iterdir():
            if path.suffix in {".json", ".xml", ".bin", ".keras", ".npz"}:
                (bundle / path.name).symlink_to(path)
        (bundle / "int8.xml").unlink()
        (bundle / "int8.xml").write_text("<net/>")
    monkeypatch.setenv("FOODSORT_MODEL__BUNDLE", str(bundle))
    (root / "inbox/a.jpg").write_bytes(photo())
    code, _, err = foodsort("run", "--root", root)
    assert code == 1
    assert ("not a complete model bundle" if how == "missing" else "(sha256)") in err
    assert (root / "inbox/a.jpg").exists()
