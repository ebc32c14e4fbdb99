"""The daemon as a process of its own: writers of every pace, signals, death and the start after it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.cli.test_run import rows
from tests.daemon.conftest import Foodsort, Photo, running, tree, until


@pytest.fixture
def patient(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose rescans are rare, so that what is seen is seen through events."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "3600")
    return root


def test_writers_of_every_pace_are_waited_for(patient: Path, photo: Photo, tmp_path: Path) -> None:
    whole = {
        name: photo(size=512, shade=shade) for shade, name in enumerate(("slow", "again", "moved", "copied", "part"))
    }
    inbox = patient / "inbox"
    with running(patient) as daemon:
        with (inbox / "slow.jpg").open("wb") as slow:
            slow.write(whole["slow"][:2000])
            slow.flush()
            with (inbox / "again.jpg").open("wb") as again:
                again.write(whole["again"][:2000])
            outside = tmp_path / "moved.jpg"
            outside.write_bytes(whole["moved"])
            outside.rename(inbox / "moved.jpg")
            (inbox / "part.jpg.part").write_bytes(whole["part"])
            (inbox / "part.jpg.part").rename(inbox / "part.jpg")
            subprocess.run(["cp", "-p", str(_old(tmp_path, whole["copied"])), str(inbox / "copied.jpg")], check=True)
            time.sleep(0.1)  # shorter than the quiet time: this is what such a writer does
            with (inbox / "again.jpg").open("ab") as again:
                again.write(whole["again"][2000:])
            until(lambda: {"again.jpg", "moved.jpg", "copied.jpg", "part.jpg"} <= _names(patient), daemon)
            assert "slow.jpg" not in _names(patient)
            slow.write(whole["slow"][2000:])
        until(lambda: "slow.jpg" in _names(patient), daemon)
    assert tree(patient) == {f"food/{name}.jpg": data for name, data in whole.items()}
    assert {row["state"] for row in rows(patient)} == {"filed"}


def test_a_writer_that_nobody_saw_begin_is_waited_for(root: Path, photo: Photo) -> None:
    whole = photo(size=512)
    with (root / "inbox/slow.jpg").open("wb") as slow:
        slow.write(whole[:2000])
        slow.flush()
        with running(root) as daemon:
            (root / "inbox/later.jpg").write_bytes(photo(shade=9))
            until(lambda: "later.jpg" in _names(root), daemon)
            slow.write(whole[2000:])
            slow.close()
            until(lambda: "slow.jpg" in _names(root), daemon)
    assert (root / "food/slow.jpg").read_bytes() == whole


def test_a_whole_picture_that_is_still_open_is_not_taken(root: Path, photo: Photo) -> None:
    with (root / "inbox/open.jpg").open("wb") as held:
        held.write(photo(shade=1))
        held.flush()
        with running(root) as daemon:
            (root / "inbox/later.jpg").write_bytes(photo(shade=2))
            until(lambda: "later.jpg" in _names(root), daemon)
            assert (root / "inbox/open.jpg").exists()
            held.close()
            until(lambda: "open.jpg" in _names(root), daemon)


def test_a_cut_off_picture_is_given_time_and_becomes_whole(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "20")
    whole = photo(size=512)
    path = root / "inbox/trip/a.jpg"
    path.parent.mkdir()
    with running(root) as daemon:
        path.write_bytes(whole[:2000])
        written = path.stat().st_ctime_ns
        # It is taken, found to be cut off, and put back, which the renames leave a mark of.
        until(lambda: _ctime(path) not in {None, written}, daemon)
        with path.open("ab") as more:
            more.write(whole[2000:])
        until(lambda: "a.jpg" in _names(root), daemon)
    assert tree(root) == {"food/trip/a.jpg": whole}


def test_a_folder_moved_in_is_sorted_with_its_sub_folders(patient: Path, photo: Photo, tmp_path: Path) -> None:
    trip = tmp_path / "outside/trip"
    (trip / "day").mkdir(parents=True)
    (trip / "a.jpg").write_bytes(photo(shade=1))
    (trip / "day/b.jpg").write_bytes(photo(shade=2))
    with running(patient) as daemon:
        trip.rename(patient / "inbox/trip")
        shutil.copytree(patient / "inbox/trip", patient / "inbox/again", dirs_exist_ok=True, ignore=lambda *_: [])
        until(lambda: {"a.jpg", "b.jpg"} <= _names(patient), daemon)
    found = tree(patient)
    assert found["food/trip/a.jpg"] == photo(shade=1)
    assert found["food/trip/day/b.jpg"] == photo(shade=2)


def test_the_rescan_finds_what_events_did_not_tell(root: Path, photo: Photo, tmp_path: Path) -> None:
    """A hard link raises no close; a file made and filled in a folder too new to be watched may raise nothing at all."""
    original = tmp_path / "original.jpg"
    original.write_bytes(photo())
    with running(root) as daemon:
        (root / "inbox/a/b/c").mkdir(parents=True)
        os.link(original, root / "inbox/a/b/c/linked.jpg")
        until(lambda: "linked.jpg" in _names(root), daemon)
    assert original.read_bytes() == photo()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_nothing_half_done(root: Path, photo: Photo, number: signal.Signals) -> None:
    photos = {f"{index}.jpg": photo(shade=index, size=256) for index in range(200)}
    with running(root) as daemon:
        for name, data in photos.items():
            (root / "inbox" / name).write_bytes(data)
        until(lambda: len(_names(root)) > 5, daemon)
        daemon.send_signal(number)
        assert daemon.wait(10) == 0
    found = tree(root)
    assert {Path(name).name: data for name, data in found.items()} == photos
    assert {row["path"] for row in rows(root)} == {name for name in found if not name.startswith("inbox/")}
    assert {row["state"] for row in rows(root)} == {"filed"}
    assert not list((root / "inbox/.foodsort").glob("claimed/**/*.jpg"))


def test_after_a_sudden_death_every_photo_has_one_place_and_one_row(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    photos = {f"trip/{index}.jpg": photo(shade=index, size=256) for index in range(200)}
    (root / "inbox/trip").mkdir()
    for name, data in photos.items():
        (root / "inbox" / name).write_bytes(data)
    for _ in range(4):
        command = [sys.executable, "-m", "daemon", "run", "--root", str(root)]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(_names(root))
        until(lambda before=before: len(_names(root)) > before or len(_names(root)) == 200)  # type: ignore[misc]
        daemon.kill()
        daemon.wait()
    assert foodsort("run", "--root", root, "--once")[0] == 0
    found = tree(root)
    assert {name.removeprefix("food/"): data for name, data in found.items()} == photos
    assert sorted(row["path"] for row in rows(root)) == sorted(found)
    assert {row["state"] for row in rows(root)} == {"filed"}


def _ctime(path: Path) -> int | None:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return None


def _names(root: Path) -> set[str]:
    """Names of the photos that have left the inbox."""
    return {path.name for folder in ("food", "non_food", "failed") for path in (root / folder).rglob("*.jpg")}


def _old(folder: Path, data: bytes) -> Path:
    path = folder / "old.jpg"
    path.write_bytes(data)
    os.utime(path, (10**9, 10**9))
    return path
