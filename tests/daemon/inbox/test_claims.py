"""Claiming files of every kind that people, programs and accidents leave in an inbox."""

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.fs import dirfd
from daemon.inbox.claimed_photo import FileChanged, FileRefused
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadinessTracker, ReadyFile
from daemon.inbox.scanner import Scanner
from daemon.inbox.stamp import FileStamp
from daemon.inbox.window import WINDOW
from daemon.settings import load
from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.rows import rows, select

pytestmark = pytest.mark.slow

RENAME_EXCHANGE = 2  # linux/fs.h


@pytest.fixture
def claims(root: Path) -> Iterator[Claims]:
    claims = Claims(root / "inbox")
    yield claims
    claims.close()


def ready_file(root: Path, path: str) -> ReadyFile:
    return ReadyFile(path.encode(), FileStamp.of((root / "inbox" / path).lstat()), 0, overdue=False)


def test_the_daemon_waits_for_a_writer_that_closes_repeatedly(root: Path, photo: Photo) -> None:
    """Samba clients open, write and close one file several times."""
    whole = photo(size=700)
    path = root / "inbox/a.jpg"
    with running(root) as daemon:
        for at in range(0, len(whole), 2000):
            with path.open("ab") as piece:
                piece.write(whole[at : at + 2000])
            time.sleep(0.05)  # as such a writer does; shorter than settle_s
        until((root / "food/a.jpg").exists, daemon)
    assert tree(root) == {"food/a.jpg": whole}
    assert [row["state"] for row in rows(root)] == ["filed"]


def test_an_empty_file_is_given_time_and_then_fails(root: Path, photo: Photo) -> None:
    (root / "inbox/filled.jpg").touch()
    (root / "inbox/empty.jpg").touch()
    with running(root) as daemon:
        (root / "inbox/filled.jpg").write_bytes(photo())
        until(lambda: (root / "failed/empty.jpg").exists() and (root / "food/filled.jpg").exists(), daemon)
    assert {row["name"]: row["error_kind"] for row in rows(root)} == {"empty.jpg": "empty", "filled.jpg": None}


def test_each_hard_link_is_a_photo_and_they_stay_one_file(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "kept.jpg").write_bytes(photo())
    for name in ("one.jpg", "two.jpg"):
        os.link(root / "kept.jpg", root / "inbox" / name)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert {path.stat().st_ino for path in (root / "food").iterdir()} == {(root / "kept.jpg").stat().st_ino}
    assert sorted(row["path"] for row in rows(root)) == ["food/one.jpg", "food/two.jpg"]


def test_hard_links_are_undone_and_retried_one_by_one(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "kept.jpg").write_bytes(photo())
    for name in ("one.jpg", "two.jpg"):
        os.link(root / "kept.jpg", root / "inbox" / name)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert foodsort("undo", "--root", root, root / "food/one.jpg")[0] == 0
    os.link(root / "kept.jpg", root / "inbox/three.jpg")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert {row["path"]: row["state"] for row in rows(root)} == {
        "inbox/one.jpg": "undone",
        "food/two.jpg": "filed",
        "food/three.jpg": "filed",
    }
    ids = {row["name"]: row["id"] for row in rows(root)}
    assert foodsort("undo", "--root", root, root / "food/two.jpg")[0] == 0
    assert foodsort("retry", "--root", root, root / "inbox/one.jpg", root / "inbox/two.jpg")[0] == 0
    os.link(root / "kept.jpg", root / "inbox/four.jpg")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert {row["name"]: row["id"] for row in rows(root)} == ids | {"four.jpg": 4}
    assert {row["path"] for row in rows(root) if row["state"] == "filed"} == {
        f"food/{name}" for name in (*ids, "four.jpg")
    }
    assert {path.stat().st_ino for path in (root / "food").iterdir()} == {(root / "kept.jpg").stat().st_ino}


def test_names_that_differ_only_in_case_are_kept(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade, name in enumerate(("a.jpg", "A.JPG", "A.jpg")):
        (root / "inbox" / name).write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert set(os.listdir(root / "food")) == {"a.jpg", "A.JPG", "A.jpg"}


@pytest.mark.parametrize(("name", "depth"), [("x" * 200, 30), ("d", 1500)])
def test_folders_deeper_than_the_longest_path(
    root: Path, photo: Photo, foodsort: Foodsort, name: str, depth: int
) -> None:
    deep = os.open(root / "inbox", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=deep)
        above, deep = deep, os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(above)
    with os.fdopen(os.open("a.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=deep), "wb") as file:
        file.write(photo())
    try:
        code, out, err = foodsort("run", "--root", root, "--once")
        assert (code, out.splitlines()[-1][:23]) == (0, "1 photo sorted: 1 food,"), err
        assert [row["inbox_path"] for row in rows(root)] == ["/".join([name] * depth + ["a.jpg"])]
        assert (
            subprocess.run(["find", str(root / "food"), "-name", "a.jpg"], capture_output=True).stdout.count(b"\n") == 1
        )
        with pytest.raises(FileNotFoundError):
            os.stat("a.jpg", dir_fd=deep)
    finally:
        os.close(deep)
        subprocess.run(["rm", "-r", str(root)], check=True)  # shutil.rmtree cannot


def test_all_of_a_hundred_thousand_files_in_one_folder_become_ready(root: Path, claims: Claims) -> None:
    (root / "inbox/many").mkdir()
    at = os.open(root / "inbox/many", os.O_RDONLY)
    for number in range(100_000):
        os.close(os.open(b"%d" % number, os.O_WRONLY | os.O_CREAT, dir_fd=at))
    tracker = ReadinessTracker(0.1, 1, 0.1)
    scanner = Scanner(lambda folder: dirfd.walk(claims.inbox_fd, folder))
    scanner.add()
    ready_paths: set[bytes] = set()
    while scanner.is_active:
        for path, stat in scanner.next_slice(tracker.scan_room):
            tracker.observe(path, FileStamp.of(stat), 0, source="scan")
        assert len(tracker) <= WINDOW
        while due := tracker.pop_due(1):
            stamp = FileStamp.of(os.stat(due.partition(b"/")[2], dir_fd=at))
            if (ready := tracker.check(due, stamp, 1)) and len(ready_paths) % 1000 == 0:
                claims.claim(ready).close()
            ready_paths.add(due)
    assert (len(tracker), len(ready_paths)) == (0, 100_000)
    os.close(at)


def test_devices_and_links_are_reported_once(root: Path, photo: Photo) -> None:
    try:
        os.mknod(root / "inbox/null.jpg", 0o666 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may create devices")
    (root / "inbox/link.jpg").symlink_to("/etc/hostname")
    with running(root) as daemon:
        for number in range(3):  # at least three scans
            (root / "inbox/a.jpg").write_bytes(photo(shade=number))
            until(lambda number=number: len(list((root / "food").iterdir())) > number, daemon)  # type: ignore[misc]
            time.sleep(load(root).watch.rescan_s)
    events = select(root, "SELECT kind, path FROM events ORDER BY path")
    assert [(event["kind"], event["path"]) for event in events] == [("skipped", "link.jpg"), ("skipped", "null.jpg")]
    assert (root / "inbox/link.jpg").is_symlink()


def test_a_file_replaced_after_it_was_ready_is_given_back(root: Path, photo: Photo, claims: Claims) -> None:
    (root / "inbox/a.jpg").write_bytes(photo(shade=1))
    ready = ready_file(root, "a.jpg")
    (root / "other.jpg").write_bytes(photo(shade=2))
    (root / "other.jpg").rename(root / "inbox/a.jpg")
    with pytest.raises(FileChanged):
        claims.claim(ready)
    assert (root / "inbox/a.jpg").read_bytes() == photo(shade=2)


def test_a_new_file_with_the_name_of_a_claimed_one_waits(root: Path, photo: Photo, claims: Claims) -> None:
    (root / "inbox/a.jpg").write_bytes(photo(shade=1))
    first = claims.claim(ready_file(root, "a.jpg"))
    (root / "inbox/a.jpg").write_bytes(photo(shade=2))
    with pytest.raises(FileExistsError):
        claims.claim(ready_file(root, "a.jpg"))
    assert os.pread(first.fd, 10**6, 0) == photo(shade=1)
    assert (root / "inbox/a.jpg").read_bytes() == photo(shade=2)
    first.close()


def test_folders_replaced_by_links_at_any_moment_are_not_followed(root: Path, photo: Photo, claims: Claims) -> None:
    """A subfolder and foodsort's folder are replaced by links to a folder with files of the same names."""
    outside = root / "outside"
    outside.mkdir()
    names = [f"{number}.jpg" for number in range(300)]
    for name in names:
        (outside / name).write_bytes(b"not ours")
    real, private = root / "inbox/trip", root / "inbox/.foodsort"
    real.mkdir()
    private.mkdir(exist_ok=True)
    (private / "lock").touch()  # as in a run of the daemon; an empty folder would be removed
    at = os.open(real, os.O_RDONLY)
    ended = threading.Event()

    links = [folder.with_name(f"{folder.name}.link") for folder in (real, private)]
    for link in links:
        link.symlink_to(outside)

    def swap() -> None:
        libc = ctypes.CDLL(None)
        while not ended.is_set():
            for folder, link in zip((real, private), links, strict=True):
                for _ in ("link", "back"):
                    assert libc.renameat2(-1, bytes(folder), -1, bytes(link), RENAME_EXCHANGE) == 0
                    time.sleep(0.0003)

    swapping = threading.Thread(target=swap)
    swapping.start()
    claimed = refused = 0
    for name in names:
        (root / "new").write_bytes(b"ours")
        os.rename(root / "new", name, dst_dir_fd=at)
        stamp = FileStamp.of(os.stat(name, dir_fd=at))
        try:
            claims.claim(ReadyFile(b"trip/" + name.encode(), stamp, 0, overdue=False)).close()
            claimed += 1
        except (FileRefused, FileChanged, OSError):
            refused += 1
    ended.set()
    swapping.join()
    assert claimed
    assert refused
    os.close(at)
    assert {path.name: path.read_bytes() for path in outside.rglob("*")} == dict.fromkeys(names, b"not ours")
