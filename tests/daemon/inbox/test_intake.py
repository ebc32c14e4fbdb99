"""The daemon as a process: slow and fast writers, signals, sudden death and recovery."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow


@pytest.fixture
def rare_scans(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose scans are rare, so that files are found through events."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "3600")
    return root


def test_the_daemon_waits_for_slow_and_fast_writers(rare_scans: Path, photo: Photo, tmp_path: Path) -> None:
    content = {
        name: photo(size=512, shade=shade) for shade, name in enumerate(("slow", "again", "moved", "copied", "part"))
    }
    inbox = rare_scans / "inbox"
    with running(rare_scans) as daemon:
        with (inbox / "slow.jpg").open("wb") as slow:
            slow.write(content["slow"][:2000])
            slow.flush()
            with (inbox / "again.jpg").open("wb") as again:
                again.write(content["again"][:2000])
            outside = tmp_path / "moved.jpg"
            outside.write_bytes(content["moved"])
            outside.rename(inbox / "moved.jpg")
            (inbox / "part.jpg.part").write_bytes(content["part"])
            (inbox / "part.jpg.part").rename(inbox / "part.jpg")
            subprocess.run(
                ["cp", "-p", str(_old_file(tmp_path, content["copied"])), str(inbox / "copied.jpg")], check=True
            )
            time.sleep(0.1)  # shorter than settle_s, as such a writer does
            with (inbox / "again.jpg").open("ab") as again:
                again.write(content["again"][2000:])
            until(lambda: {"again.jpg", "moved.jpg", "copied.jpg", "part.jpg"} <= _names(rare_scans), daemon)
            assert "slow.jpg" not in _names(rare_scans)
            slow.write(content["slow"][2000:])
        until(lambda: "slow.jpg" in _names(rare_scans), daemon)
    assert tree(rare_scans) == {f"food/{name}.jpg": data for name, data in content.items()}
    assert {row["state"] for row in rows(rare_scans)} == {"filed"}


def test_the_daemon_waits_for_a_writer_that_began_before_its_start(root: Path, photo: Photo) -> None:
    content = photo(size=512)
    with (root / "inbox/slow.jpg").open("wb") as slow:
        slow.write(content[:2000])
        slow.flush()
        with running(root) as daemon:
            (root / "inbox/later.jpg").write_bytes(photo(shade=9))
            until(lambda: "later.jpg" in _names(root), daemon)
            slow.write(content[2000:])
            slow.close()
            until(lambda: "slow.jpg" in _names(root), daemon)
    assert (root / "food/slow.jpg").read_bytes() == content


def test_a_complete_picture_that_is_still_open_is_not_claimed(root: Path, photo: Photo) -> None:
    with (root / "inbox/open.jpg").open("wb") as file:
        file.write(photo(shade=1))
        file.flush()
        with running(root) as daemon:
            (root / "inbox/later.jpg").write_bytes(photo(shade=2))
            until(lambda: "later.jpg" in _names(root), daemon)
            assert (root / "inbox/open.jpg").exists()
            file.close()
            until(lambda: "open.jpg" in _names(root), daemon)


def test_a_truncated_picture_is_given_time_until_it_is_complete(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "20")
    content = photo(size=512)
    path = root / "inbox/trip/a.jpg"
    path.parent.mkdir()
    with running(root) as daemon:
        path.write_bytes(content[:2000])
        written = path.stat().st_ctime_ns
        # It is claimed, found truncated and given back; the renames change its ctime.
        until(lambda: _ctime(path) not in {None, written}, daemon)
        with path.open("ab") as more:
            more.write(content[2000:])
        until(lambda: "a.jpg" in _names(root), daemon)
    assert tree(root) == {"food/trip/a.jpg": content}


def test_a_folder_moved_in_is_sorted_with_its_sub_folders(rare_scans: Path, photo: Photo, tmp_path: Path) -> None:
    trip = tmp_path / "outside/trip"
    (trip / "day").mkdir(parents=True)
    (trip / "a.jpg").write_bytes(photo(shade=1))
    (trip / "day/b.jpg").write_bytes(photo(shade=2))
    with running(rare_scans) as daemon:
        trip.rename(rare_scans / "inbox/trip")
        shutil.copytree(rare_scans / "inbox/trip", rare_scans / "inbox/again", dirs_exist_ok=True, ignore=lambda *_: [])
        until(lambda: {"a.jpg", "b.jpg"} <= _names(rare_scans), daemon)
    files = tree(rare_scans)
    assert files["food/trip/a.jpg"] == photo(shade=1)
    assert files["food/trip/day/b.jpg"] == photo(shade=2)


def test_a_scan_finds_files_without_events(root: Path, photo: Photo, tmp_path: Path) -> None:
    """A hard link causes no close event; a file in a folder that is not watched yet may cause no event at all."""
    original = tmp_path / "original.jpg"
    original.write_bytes(photo())
    with running(root) as daemon:
        (root / "inbox/a/b/c").mkdir(parents=True)
        os.link(original, root / "inbox/a/b/c/linked.jpg")
        until(lambda: "linked.jpg" in _names(root), daemon)
    assert original.read_bytes() == photo()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_and_leaves_nothing_half_done(
    root: Path, photo: Photo, number: signal.Signals
) -> None:
    photos = {f"{index}.jpg": photo(shade=index, size=256) for index in range(200)}
    with running(root) as daemon:
        for name, data in photos.items():
            (root / "inbox" / name).write_bytes(data)
        until(lambda: len(_names(root)) > 5, daemon)
        daemon.send_signal(number)
        assert daemon.wait(10) == 0
    files = tree(root)
    assert {Path(name).name: data for name, data in files.items()} == photos
    assert {row["path"] for row in rows(root)} == {name for name in files if not name.startswith("inbox/")}
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
    files = tree(root)
    assert {name.removeprefix("food/"): data for name, data in files.items()} == photos
    assert sorted(row["path"] for row in rows(root)) == sorted(files)
    assert {row["state"] for row in rows(root)} == {"filed"}


def _ctime(path: Path) -> int | None:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return None


def _names(root: Path) -> set[str]:
    """Names of the photos that have left the inbox."""
    return {path.name for folder in ("food", "non_food", "failed") for path in (root / folder).rglob("*.jpg")}


def _old_file(folder: Path, data: bytes) -> Path:
    path = folder / "old.jpg"
    path.write_bytes(data)
    os.utime(path, (10**9, 10**9))
    return path
