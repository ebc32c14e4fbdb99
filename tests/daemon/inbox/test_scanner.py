"""The inbox as a stream: what a listing finds, in which order, and a daemon whose window is smaller than its inbox."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from daemon.fs import dirfd as walk
from daemon.inbox.scanner import Entry, Scanner
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import load
from tests.daemon.cli.test_run import rows
from tests.daemon.conftest import Foodsort, Photo, running, status, tree, until

SMALL = (sys.executable, "-m", "tests.programs.small_window")


@pytest.fixture
def walked() -> list[bytes]:
    """The folders that were walked through, in order."""
    return []


@pytest.fixture
def listing(walked: list[bytes]) -> Scanner:
    """A listing of folders with three files each."""

    def files(folder: bytes) -> Iterator[Entry]:
        walked.append(folder)
        return ((walk.join(folder, b"%d" % number), os.stat("/")) for number in range(3))

    return Scanner(files)


def take(listing: Scanner, most: int) -> list[bytes]:
    return [path for path, _ in listing.next_slice(most)]


def test_files_come_in_slices_until_the_walk_ends(listing: Scanner) -> None:
    assert (listing.is_active, take(listing, 2)) == (False, [])
    listing.add()
    assert [take(listing, 2), take(listing, 2)] == [[b"0", b"1"], [b"2"]]
    assert not listing.is_active


def test_folders_wait_for_each_other_and_one_for_all_takes_their_place(listing: Scanner, walked: list[bytes]) -> None:
    listing.add(b"a")
    assert take(listing, 2) == [b"a/0", b"a/1"]
    for folder in (b"b", b"c", b"b"):
        listing.add(folder)
    assert [take(listing, 9) for _ in "abc"] == [[b"a/2"], [b"b/0", b"b/1", b"b/2"], [b"c/0", b"c/1", b"c/2"]]
    assert not listing.is_active
    for folder in (b"d", b"", b"e"):
        listing.add(folder)
    assert take(listing, 9) == [b"0", b"1", b"2"]
    assert (listing.is_active, walked) == (False, [b"a", b"b", b"c", b""])


def test_a_walk_asked_for_while_one_is_under_way_begins_anew(listing: Scanner) -> None:
    listing.add()
    assert take(listing, 1) == [b"0"]
    listing.add()
    assert [take(listing, 9), take(listing, 9)] == [[b"1", b"2"], [b"0", b"1", b"2"]]


def test_very_many_folders_are_one_walk_through_everything(listing: Scanner, walked: list[bytes]) -> None:
    for number in range(2000):
        listing.add(b"%d" % number)
    while listing.is_active:
        listing.next_slice(9)
    assert walked == [b""]


def test_a_listing_that_is_stopped_lets_go_of_its_folder(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}").touch()
    root, before = walk.open_root(bytes(tmp_path)), set(os.listdir("/proc/self/fd"))
    listing = Scanner(lambda folder: walk.walk(root, folder))
    listing.add()
    listing.next_slice(1)
    assert set(os.listdir("/proc/self/fd")) > before
    listing.stop()
    assert (listing.is_active, set(os.listdir("/proc/self/fd"))) == (False, before)
    os.close(root)


def test_more_files_than_fit_in_the_window_are_all_filed(root: Path, photo: Photo) -> None:
    whole = {f"{number}.jpg": photo(shade=number) for number in range(60)}
    (root / "inbox/trip").mkdir()
    for number, (name, data) in enumerate(whole.items()):
        (root / "inbox" / ("trip" if number % 3 else "") / name).write_bytes(data)
    with running(root, *SMALL) as daemon:
        until(lambda: sum(status(root)["photos"].values()) == 60, daemon)
        until(lambda: not status(root)["more_waiting"], daemon)
        assert status(root)["queue"] == {"inbox": 0, "in_flight": 0}
    assert {Path(path).name: data for path, data in tree(root).items()} == whole
    assert sorted(row["path"] for row in rows(root)) == sorted(tree(root))


def test_what_events_tell_while_the_inbox_is_listed_is_not_lost(
    root: Path, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And neither is a file that is being written, nor a folder that comes, though there is no next look within the hour."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    for number in range(40):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    new = tmp_path / "new"
    new.mkdir()
    for number in range(40, 120):
        (new / f"{number}.jpg").write_bytes(photo(shade=number))
    with (root / "inbox/slow.jpg").open("wb") as slow, running(root, *SMALL) as daemon:
        slow.write(photo(shade=120)[:300])
        slow.flush()
        for number in range(40, 100):
            (new / f"{number}.jpg").rename(root / f"inbox/{number}.jpg")
        new.rename(root / "inbox/new")
        until(lambda: sum(status(root)["photos"].values()) == 120, daemon)
        assert (root / "inbox/slow.jpg").exists()
        slow.write(photo(shade=120)[300:])
        slow.close()
        until((root / "food/slow.jpg").exists, daemon)
    names = [f"{number}.jpg" for number in range(100)] + [f"new/{number}.jpg" for number in range(100, 120)]
    assert set(tree(root)) == {f"food/{name}" for name in (*names, "slow.jpg")}
    assert sorted(row["path"] for row in rows(root)) == sorted(tree(root))


def test_once_ends_when_all_are_filed_and_not_before(root: Path, photo: Photo) -> None:
    for number in range(50):
        (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
    service = Service(root, load(root), Progress(Console(stderr=True)), once=True, dry_run=False, window=8)
    service.start()
    service.run()
    assert (service.counts, service.left) == ({"food": 50}, 0)
    assert sorted(tree(root)) == sorted(f"food/{number}.jpg" for number in range(50))


def test_files_that_stay_do_not_keep_others_out_of_the_window(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    """Undone ones and links, more of them than fit."""
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
