"""Scans of the inbox: which files in which order, and a daemon whose window is smaller than its inbox."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from daemon.fs import dirfd
from daemon.inbox.scanner import Entry, Scanner
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import load
from tests.daemon.conftest import Foodsort, Photo, running, status, tree, until
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow

SMALL = (sys.executable, "-m", "tests.programs.small_window")


@pytest.fixture
def walked() -> list[bytes]:
    """The folders of the walks, in order."""
    return []


@pytest.fixture
def scanner(walked: list[bytes]) -> Scanner:
    """A scanner of folders with three files each."""

    def files(folder: bytes) -> Iterator[Entry]:
        walked.append(folder)
        return ((dirfd.join(folder, b"%d" % number), os.stat("/")) for number in range(3))

    return Scanner(files)


def next_paths(scanner: Scanner, limit: int) -> list[bytes]:
    return [path for path, _ in scanner.next_slice(limit)]


def test_files_come_in_slices_until_the_walk_ends(scanner: Scanner) -> None:
    assert (scanner.is_active, next_paths(scanner, 2)) == (False, [])
    scanner.add()
    assert [next_paths(scanner, 2), next_paths(scanner, 2)] == [[b"0", b"1"], [b"2"]]
    assert not scanner.is_active


def test_folders_are_walked_in_order_and_a_full_scan_replaces_them(scanner: Scanner, walked: list[bytes]) -> None:
    scanner.add(b"a")
    assert next_paths(scanner, 2) == [b"a/0", b"a/1"]
    for folder in (b"b", b"c", b"b"):
        scanner.add(folder)
    assert [next_paths(scanner, 9) for _ in "abc"] == [[b"a/2"], [b"b/0", b"b/1", b"b/2"], [b"c/0", b"c/1", b"c/2"]]
    assert not scanner.is_active
    for folder in (b"d", b"", b"e"):
        scanner.add(folder)
    assert next_paths(scanner, 9) == [b"0", b"1", b"2"]
    assert (scanner.is_active, walked) == (False, [b"a", b"b", b"c", b""])


def test_a_scan_added_during_another_starts_after_it(scanner: Scanner) -> None:
    scanner.add()
    assert next_paths(scanner, 1) == [b"0"]
    scanner.add()
    assert [next_paths(scanner, 9), next_paths(scanner, 9)] == [[b"1", b"2"], [b"0", b"1", b"2"]]


def test_too_many_folders_become_one_full_scan(scanner: Scanner, walked: list[bytes]) -> None:
    for number in range(2000):
        scanner.add(b"%d" % number)
    while scanner.is_active:
        scanner.next_slice(9)
    assert walked == [b""]


def test_a_stopped_scan_closes_its_folder(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}").touch()
    root, before = dirfd.open_root(bytes(tmp_path)), set(os.listdir("/proc/self/fd"))
    scanner = Scanner(lambda folder: dirfd.walk(root, folder))
    scanner.add()
    scanner.next_slice(1)
    assert set(os.listdir("/proc/self/fd")) > before
    scanner.stop()
    assert (scanner.is_active, set(os.listdir("/proc/self/fd"))) == (False, before)
    os.close(root)


def test_more_files_than_fit_in_the_window_are_all_filed(root: Path, photo: Photo) -> None:
    photos = {f"{number}.jpg": photo(shade=number) for number in range(60)}
    (root / "inbox/trip").mkdir()
    for number, (name, data) in enumerate(photos.items()):
        (root / "inbox" / ("trip" if number % 3 else "") / name).write_bytes(data)
    with running(root, *SMALL) as daemon:
        until(lambda: sum(status(root)["photos"].values()) == 60, daemon)
        until(lambda: not status(root)["more_waiting"], daemon)
        assert status(root)["queue"] == {"inbox": 0, "in_flight": 0}
    assert {Path(path).name: data for path, data in tree(root).items()} == photos
    assert sorted(row["path"] for row in rows(root)) == sorted(tree(root))


def test_events_during_a_scan_are_not_lost(
    root: Path, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for a file that is being written and a folder that moves in; the next scan would be an hour later."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    for number in range(40):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    outside = tmp_path / "new"
    outside.mkdir()
    for number in range(40, 120):
        (outside / f"{number}.jpg").write_bytes(photo(shade=number))
    with (root / "inbox/slow.jpg").open("wb") as slow, running(root, *SMALL) as daemon:
        slow.write(photo(shade=120)[:300])
        slow.flush()
        for number in range(40, 100):
            (outside / f"{number}.jpg").rename(root / f"inbox/{number}.jpg")
        outside.rename(root / "inbox/new")
        until(lambda: sum(status(root)["photos"].values()) == 120, daemon)
        assert (root / "inbox/slow.jpg").exists()
        slow.write(photo(shade=120)[300:])
        slow.close()
        until((root / "food/slow.jpg").exists, daemon)
    names = [f"{number}.jpg" for number in range(100)] + [f"new/{number}.jpg" for number in range(100, 120)]
    assert set(tree(root)) == {f"food/{name}" for name in (*names, "slow.jpg")}
    assert sorted(row["path"] for row in rows(root)) == sorted(tree(root))


def test_once_ends_only_when_all_photos_are_filed(root: Path, photo: Photo) -> None:
    for number in range(50):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    service = Service(root, load(root), Progress(Console(stderr=True)), once=True, dry_run=False, window=8)
    service.start()
    service.run()
    assert (service.counts, service.left) == ({"food": 50}, 0)
    assert sorted(tree(root)) == sorted(f"food/{number}.jpg" for number in range(50))


def test_files_that_stay_in_the_inbox_do_not_fill_the_window(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    """Undone photos and links, more than the window holds."""
    for number in range(20):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert foodsort("undo", "--root", root, "--since", "2000-01-01")[0] == 0
    assert len(list((root / "inbox").glob("*.jpg"))) == 20
    for number in range(20):
        (root / f"inbox/link {number}.jpg").symlink_to("nowhere")
    with running(root, *SMALL) as daemon:
        for number in range(20, 40):
            (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
        until(lambda: sum(status(root)["photos"].values()) == 20, daemon)
    assert sorted(path.name for path in (root / "food").iterdir()) == sorted(
        f"{number}.jpg" for number in range(20, 40)
    )
    assert len(list((root / "inbox").glob("*.jpg"))) == 40
