"""Moves by hand beside what foodsort itself moves, and where events do not arrive or folders cannot be read."""

import fcntl
import itertools
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.processes import limit_command
from tests.daemon.rows import event_messages, rows, select, states

pytestmark = pytest.mark.slow

PHOTOS = 12


def reviews(root: Path) -> list[tuple[str, str]]:
    return [(row["label"], row["source"]) for row in select(root, "SELECT label, source FROM reviews ORDER BY id")]


def sort(root: Path, foodsort: Foodsort) -> None:
    assert foodsort("run", "--root", root, "--once")[0] == 0


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with sorted photos: half food, half non_food."""
    for number in range(PHOTOS):
        (root / f"inbox/{number:02}.jpg").write_bytes(photo("food" if number % 2 else "non_food", number))
    sort(root, foodsort)
    return root


@pytest.mark.usefixtures("each_database")
def test_moves_by_commands_are_no_labels(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for number in range(PHOTOS):
        (root / f"inbox/{number:02}.jpg").write_bytes(photo("food" if number % 2 else "non_food", number))
    sort(root, foodsort)
    with running(root):
        assert foodsort("correct", "--root", root, "--label", "food", root / "non_food/*.jpg")[0] == 0
        assert foodsort("correct", "--root", root, "--withdraw", root / "food/00.jpg")[0] == 0
        assert foodsort("undo", "--root", root, root / "food/01.jpg")[0] == 0
        assert foodsort("retry", "--root", root, root / "inbox/01.jpg")[0] == 0
        until(lambda: states(root).get("food/01.jpg") == "filed")
        (root / "food/03.jpg").rename(root / "food/last.jpg")
        until(lambda: "food/last.jpg" in states(root), patience_s=8)
    assert reviews(root) == [("food", "person")] * (PHOTOS // 2 - 1)
    assert event_messages(root, "dragged") == []
    assert set(states(root).values()) == {"filed"}
    assert len(rows(root)) == PHOTOS


def test_a_moved_photo_is_corrected_and_undone_beside_the_daemon(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    with running(root):
        (root / "food/01.jpg").rename(root / "non_food/01.jpg")
        (root / "food/03.jpg").rename(root / "non_food/03.jpg")
        assert foodsort("undo", "--root", root, root / "non_food/01.jpg")[0] == 0  # most likely before it has settled
        until(lambda: states(root).get("non_food/03.jpg") == "filed", patience_s=8)
        assert foodsort("correct", "--root", root, "--withdraw", root / "non_food/03.jpg")[0] == 0
        until(lambda: states(root).get("food/03.jpg") == "filed")
    assert states(root)["inbox/01.jpg"] == "undone"
    assert reviews(root) == [("non_food", "move")]  # of the photo that was undone
    assert len(rows(root)) == PHOTOS


def test_repair_finds_nothing_to_do_after_moves(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    (root / "food/trip").mkdir()
    (root / "non_food/00.jpg").rename(root / "food/trip/a.jpg")
    (root / "non_food/02.jpg").rename(root / "food/02.jpg")
    (root / "non_food/04.jpg").unlink()
    sort(root, foodsort)
    code, out, _ = foodsort("repair", "--root", root, "--dry-run")
    assert code == 0
    assert out.startswith("would be: 0 added, 0 missing, 0 merged, 0 moved, 0 changed")


def test_a_photo_that_is_undone_by_hand_then_filed_by_hand(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    assert foodsort("undo", "--root", root, root / "food/01.jpg")[0] == 0
    with running(root):
        (root / "inbox/01.jpg").rename(root / "non_food/01.jpg")
        until(lambda: states(root).get("non_food/01.jpg") == "filed", patience_s=8)
    assert reviews(root) == [("non_food", "move")]
    assert len(rows(root)) == PHOTOS


def test_copies_of_photos_that_stay_in_the_inbox(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TAKE", "copy")
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    sort(root, foodsort)
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        until(lambda: states(root) == {"food/b.jpg": "filed"}, patience_s=8)
    assert reviews(root) == [("food", "move")]
    assert foodsort("undo", "--root", root, root / "food/b.jpg")[0] == 0
    assert tree(root) == {"inbox/b.jpg": photo("non_food")}
    assert len(rows(root)) == 1


def test_without_inotify_scans_find_it(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root, *limit_command("max_inotify_instances", 0)):
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        until(lambda: reviews(root) == [("food", "move")])
        shutil.copy(root / "non_food/02.jpg", root / "food/02.jpg")
        (root / "non_food/02.jpg").unlink()
        until(lambda: states(root).get("food/02.jpg") == "filed")
        (root / "non_food/04.jpg").unlink()
        until(lambda: states(root)["non_food/04.jpg"] == "missing")
        (root / "food/04.jpg").write_bytes(photo("non_food", 4)[:200])
        until(lambda: states(root)["non_food/04.jpg"] == "missing")
        (root / "food/04.jpg").write_bytes(photo("non_food", 4))  # grows, which leaves the time of its folder
        until(lambda: states(root).get("food/04.jpg") == "filed")
    assert len(rows(root)) == PHOTOS


def test_too_few_watches(sorted_root: Path) -> None:
    root = sorted_root
    for number in range(20):
        (root / f"food/{number}").mkdir()
    with running(root, *limit_command("max_inotify_watches", 8)):
        for number in range(20):
            name = f"{number:02}.jpg" if number < PHOTOS and not number % 2 else ""
            if name:
                (root / "non_food" / name).rename(root / f"food/{number}/{name}")
        until(lambda: len(reviews(root)) == PHOTOS // 2)
    assert len(rows(root)) == PHOTOS


def test_lost_events(sorted_root: Path) -> None:
    root = sorted_root
    queue_size = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue_size > 100_000:
        pytest.skip("the queue is longer than a test should fill")
    with running(root) as daemon:
        (root / "food/01.jpg").rename(root / "food/first.jpg")
        until(lambda: "food/first.jpg" in states(root), patience_s=8)
        daemon.send_signal(signal.SIGSTOP)
        until(lambda: "State:\tT" in Path(f"/proc/{daemon.pid}/status").read_text(), daemon)
        noise = [root / "food/.one", root / "food/.two"]
        for path in itertools.islice(itertools.cycle(noise), queue_size + 100):
            path.open("wb").close()  # `touch` would change the time only
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        daemon.send_signal(signal.SIGCONT)
        until(lambda: reviews(root) == [("food", "move")], daemon, patience_s=15)
        assert "overflowed" in (root / "daemon.log").read_text()


def test_a_folder_that_cannot_be_read_keeps_its_rows(sorted_root: Path) -> None:
    root = sorted_root
    (root / "food/closed").mkdir()
    (root / "food/01.jpg").rename(root / "food/closed/01.jpg")
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    with running(root, *without):
        until(lambda: "food/closed/01.jpg" in states(root), patience_s=8)
        (root / "food/closed").chmod(0)
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        until(lambda: reviews(root) == [("food", "move")], patience_s=8)
    with running(root, *without):  # the scan at the start meets it too
        (root / "non_food/02.jpg").rename(root / "food/02.jpg")
        until(lambda: reviews(root) == [("food", "move")] * 2, patience_s=8)
    (root / "food/closed").chmod(0o755)
    assert states(root)["food/closed/01.jpg"] == "filed"


def test_a_photo_that_comes_while_another_call_has_the_lock(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    with running(root), (root / "inbox/.foodsort/back.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        (root / "inbox/new.jpg").write_bytes((root / "non_food/02.jpg").read_bytes() + b"new")
        until(lambda: "non_food/new.jpg" in states(root))  # sorting goes on
        assert reviews(root) == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        until(lambda: reviews(root) == [("food", "move")], patience_s=8)


def test_an_inbox_that_was_away_for_a_while(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "inbox").rename(root / "away")
        until(lambda: event_messages(root, "inbox_lost") != [])
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        (root / "away").rename(root / "inbox")
        until(lambda: reviews(root) == [("food", "move")])
        (root / "non_food/02.jpg").rename(root / "food/02.jpg")
        until(lambda: len(reviews(root)) == 2, patience_s=8)


def test_a_reload_turns_it_on(sorted_root: Path) -> None:
    root = sorted_root
    settings = root / "foodsort.toml"
    settings.write_text("[folders]\ndrags = false\n")
    with running(root) as daemon:

        def reload() -> None:
            before = (root / "daemon.log").read_text().count("reloaded")
            daemon.send_signal(signal.SIGHUP)
            until(lambda: (root / "daemon.log").read_text().count("reloaded") > before, daemon)

        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        (root / "inbox/new.jpg").write_bytes((root / "food/01.jpg").read_bytes() + b"new")
        until(lambda: "food/new.jpg" in states(root))
        assert reviews(root) == []
        settings.write_text("[folders]\ndrags = true\n")
        reload()
        until(lambda: reviews(root) == [("food", "move")], patience_s=8)
        (root / "non_food/02.jpg").rename(root / "food/02.jpg")
        until(lambda: len(reviews(root)) == 2, patience_s=8)


def test_a_folder_that_is_replaced_is_watched_again(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "food").rename(root / "old")
        (root / "food").mkdir()
        (root / "non_food/00.jpg").rename(root / "food/00.jpg")
        until(lambda: reviews(root) == [("food", "move")])
        (root / "old/01.jpg").rename(root / "non_food/01.jpg")
        until(lambda: len(reviews(root)) == 2, patience_s=8)
