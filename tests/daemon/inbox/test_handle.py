"""The inbox is removed, moved, unmounted or mounted over while the daemon runs; its lock."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon.inbox.handle import InboxHandle
from daemon.inbox.lock import holder
from models.errors import FoodsortError
from tests.daemon.conftest import Foodsort, Photo, mounted, running, status, until
from tests.daemon.photos import sort_photo
from tests.daemon.rows import event_messages, rows

pytestmark = pytest.mark.slow


def inbox_is_gone(root: Path) -> bool:
    return "is gone" in ((status(root)["waiting_for"] or {}).get("what") or "")


@contextmanager
def filing_blocked(root: Path, daemon: "subprocess.Popen[str]", photo: bytes) -> Iterator[None]:
    """Puts a photo into the inbox that stays claimed, since the database is locked, until the block ends."""
    with closing(sqlite3.connect(root / "foodsort.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        (root / "inbox/trip").mkdir()
        (root / "inbox/trip/a.jpg").write_bytes(photo)
        until(lambda: status(root)["queue"]["in_flight"] == 1 and status(root)["waiting_for"] is not None, daemon)
        yield
        database.execute("ROLLBACK")


def test_an_error_of_the_disk_is_a_reason_to_open_the_inbox_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with closing(InboxHandle(root / "inbox", lock=False)) as handle:
        assert handle.lost_reason() is None
        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", failing)
            assert handle.lost_reason() == "Input/output error"


def test_the_daemon_waits_for_a_removed_inbox_and_reopens_it(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "a.jpg", daemon)
        shutil.rmtree(root / "inbox")
        until(lambda: status(root)["state"] == "waiting" and inbox_is_gone(root), daemon)
        assert not (root / "inbox").exists()
        (root / "inbox").mkdir()
        sort_photo(root, photo(shade=2), "b.jpg", daemon)
        until(lambda: status(root)["state"] == "watching", daemon)
        with pytest.raises(FoodsortError, match=f"process {daemon.pid} "):
            InboxHandle(root / "inbox", lock=True)
    assert (root / "daemon.log").read_text().count("model ready") == 1
    assert len(event_messages(root, "inbox_lost")) == len(event_messages(root, "inbox_back")) == 1


def test_claimed_photos_of_a_removed_inbox_are_missing(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        with filing_blocked(root, daemon, photo()):
            shutil.rmtree(root / "inbox")
        until(lambda: inbox_is_gone(root) and status(root)["queue"]["in_flight"] == 0, daemon)
        assert [row["state"] for row in rows(root)] == ["missing"]
        (root / "inbox").mkdir()
        sort_photo(root, photo(shade=2), "b.jpg", daemon)


def test_claimed_photos_of_a_renamed_inbox_are_filed(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        with filing_blocked(root, daemon, photo()):
            (root / "inbox").rename(root / "elsewhere")
            (root / "elsewhere/left.jpg").write_bytes(photo(shade=3))
        until((root / "food/trip/a.jpg").exists, daemon)
        (root / "inbox").mkdir()
        sort_photo(root, photo(shade=2), "b.jpg", daemon)
        assert (root / "elsewhere/left.jpg").exists()
    assert {row["state"] for row in rows(root)} == {"filed"}


@pytest.mark.system
def test_nothing_is_written_below_the_mount_point_of_an_unmounted_inbox(root: Path, photo: Photo) -> None:
    inbox = root / "inbox"
    with mounted(inbox), running(root) as daemon:
        sort_photo(root, photo(shade=1), "a.jpg", daemon)
        subprocess.run(["umount", "-l", inbox], check=True)
        until(lambda: inbox_is_gone(root), daemon)
        assert "nothing is mounted" in status(root)["waiting_for"]["what"]
        assert list(inbox.iterdir()) == []
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inbox], check=True)
        sort_photo(root, photo(shade=2), "b.jpg", daemon)
        with mounted(inbox):  # a second mount over the first
            sort_photo(root, photo(shade=3), "c.jpg", daemon)
            sort_photo(root, photo(shade=4), "d.jpg", daemon)
        until(lambda: len(event_messages(root, "inbox_back")) == 3, daemon)
    assert len(event_messages(root, "inbox_lost")) == 3


def test_a_stop_ends_the_wait_for_an_inbox(root: Path) -> None:
    with running(root) as daemon:
        (root / "inbox").rename(root / "elsewhere")
        until(lambda: inbox_is_gone(root), daemon)
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_a_dead_process_holds_no_lock_and_a_live_one_is_named(root: Path, foodsort: Foodsort) -> None:
    with running(root) as daemon:
        code, _, err = foodsort("run", "--root", root)
        assert code == 1
        assert f"process {daemon.pid} (since 20" in err
        assert str(holder(root / "inbox")).startswith(f"process {daemon.pid} ")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        assert holder(root / "inbox") is None
        assert foodsort("run", "--root", root, "--once")[0] == 0


def test_child_processes_do_not_inherit_the_lock(root: Path) -> None:
    handle = InboxHandle(root / "inbox", lock=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        handle.close()
        # The kernel closes the descriptors of a new program shortly after its start is reported.
        until(lambda: holder(root / "inbox") is None, patience_s=10)
        child.communicate(b"\n")


@pytest.mark.parametrize("link", [".foodsort", ".foodsort/lock"])
def test_a_link_in_the_place_of_the_lock_is_not_followed(
    root: Path, foodsort: Foodsort, tmp_path: Path, link: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = root / "inbox" / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(elsewhere if link == ".foodsort" else elsewhere / "file")
    code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 1
    assert "move it away" in err
    assert os.listdir(elsewhere) == []
