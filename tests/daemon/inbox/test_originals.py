"""Folders that are synced: copies are sorted, and no original moves, changes or is taken twice."""

import hashlib
import os
import shutil
import signal
from pathlib import Path

import pytest

from daemon.database.originals import Original
from daemon.fs import copy
from daemon.inbox.claimed_copy import holds_copies
from daemon.inbox.claimed_photo import FileChanged, FileRefused
from daemon.inbox.claims import Claims
from daemon.inbox.originals import is_taken, recognise
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.photo import FILED, RETRY, UNDONE, State
from tests.daemon.conftest import Foodsort, Photo, fill, mounted, running, status, tree, until
from tests.daemon.processes import kill_at, kill_run_at, run_command
from tests.daemon.rows import rows, select, states

SIDECAR = b"<x:xmpmeta/>"


def original(path: bytes = b"a.jpg", number: int = 1, state: State = FILED, companion: bytes | None = None) -> Original:
    return Original(number, path, "digest", "stamp", None if companion else 1, None if companion else state, companion)


def recognised(path: bytes, *originals: Original, gone: tuple[bytes, ...] = ()) -> int | None:
    found = recognise(path, originals, lambda row: row.state != RETRY, lambda row: row.path in gone)
    return found and found.id


def test_a_content_is_taken_once_at_each_path() -> None:
    assert recognised(b"a.jpg", original()) == 1
    assert recognised(b"b.jpg", original()) is None
    assert recognised(b"b.jpg", original(), gone=(b"a.jpg",)) == 1
    assert recognised(b"a.jpg", original(state=RETRY), original(b"b.jpg", 2), gone=(b"b.jpg",)) is None
    assert recognised(b"c.jpg", original(), original(b"b.jpg", 2), gone=(b"b.jpg",)) == 2


def test_an_original_is_released_by_retry_only() -> None:
    place = b"inbox/".__add__
    assert is_taken(original(), place)
    assert is_taken(original(state=UNDONE), place)
    assert not is_taken(original(state=RETRY), place)
    assert is_taken(original(companion=b"food/a.jpg"), place)
    assert not is_taken(original(companion=b"inbox/a.jpg"), place)


@pytest.fixture(autouse=True)
def take_copies(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TAKE", "copy")
    monkeypatch.setenv("FOODSORT_WATCH__COMPANION_S", "60")


def put(root: Path, name: str, content: bytes) -> Path:
    path = root / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def run(foodsort: Foodsort, root: Path, code: int = 0) -> None:
    assert foodsort("run", "--root", root, "--once")[0] == code


def copies_of(path: Path, sha256: str = "") -> ReadyFile:
    stamp = FileStamp.of(path.lstat())
    return ReadyFile(os.fsencode(path.name), stamp, 0, overdue=False, sha256=sha256)


def test_a_copy_is_sorted_and_the_original_stays_as_it_is(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    path = put(root, "trip/a.jpg", photo())
    before = path.stat()
    run(foodsort, root)
    assert tree(root) == {"inbox/trip/a.jpg": photo(), "food/trip/a.jpg": photo()}
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert (root / "food/trip/a.jpg").stat().st_mtime_ns == before.st_mtime_ns
    (row,) = rows(root)
    assert (row["path"], row["inbox_path"], row["original"]) == ("food/trip/a.jpg", "trip/a.jpg", "trip/a.jpg")
    run(foodsort, root)
    assert len(rows(root)) == 1


def test_a_touched_original_is_not_taken_again(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    path = put(root, "a.jpg", photo())
    run(foodsort, root)
    stamps = select(root, "SELECT stamp FROM originals")
    os.utime(path, (1, 1))
    run(foodsort, root)
    path.chmod(0o600)
    run(foodsort, root)
    shutil.copyfile(path, root / "inbox/b.tmp")  # as a sync tool does that fetches it again
    (root / "inbox/b.tmp").rename(path)
    run(foodsort, root)
    assert tree(root) == {"inbox/a.jpg": photo(), "food/a.jpg": photo()}
    assert select(root, "SELECT stamp FROM originals") != stamps
    assert len(rows(root)) == len(select(root, "SELECT * FROM originals")) == 1


def test_a_changed_original_is_a_new_photo_and_its_old_bytes_are_known(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    path = put(root, "a.jpg", photo("food"))
    run(foodsort, root)
    stat = path.stat()
    path.write_bytes(photo("food", 3))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    run(foodsort, root)
    path.write_bytes(photo("food"))
    run(foodsort, root)
    assert tree(root) == {
        "inbox/a.jpg": photo("food"),
        "food/a.jpg": photo("food"),
        "food/a (2).jpg": photo("food", 3),
    }
    assert [row["original"] for row in rows(root)] == ["a.jpg", "a.jpg"]


def test_a_renamed_original_is_not_taken_again_and_a_second_file_of_its_bytes_is(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    path = put(root, "a.jpg", photo())
    run(foodsort, root)
    path.rename(root / "inbox/b.jpg")
    run(foodsort, root)
    assert states(root) == {"food/a.jpg": "filed"}
    assert rows(root)[0]["original"] == "b.jpg"
    put(root, "c.jpg", photo())
    run(foodsort, root)
    assert states(root) == {"food/a.jpg": "filed", "food/c.jpg": "filed"}


def test_a_copy_that_a_person_deleted_does_not_come_back(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    put(root, "a.jpg", photo())
    run(foodsort, root)
    (root / "food/a.jpg").unlink()
    run(foodsort, root)
    assert tree(root) == {"inbox/a.jpg": photo()}


def test_undo_removes_the_copy_and_retry_sorts_the_original_again(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    path = put(root, "a.jpg", photo())
    run(foodsort, root)
    code, out, _ = foodsort("undo", "--root", root, "--dry-run", "food/a.jpg")
    assert code == 0
    assert "inbox/a.jpg" in out
    assert foodsort("undo", "--root", root, "food/a.jpg")[0] == 0
    assert tree(root) == {"inbox/a.jpg": photo()}
    assert states(root) == {"inbox/a.jpg": "undone"}
    run(foodsort, root)
    os.utime(path, (1, 1))
    run(foodsort, root)
    path.rename(root / "inbox/b.jpg")
    run(foodsort, root)
    assert states(root) == {"inbox/b.jpg": "undone"}
    assert foodsort("retry", "--root", root, "inbox/b.jpg")[0] == 0
    run(foodsort, root)
    assert tree(root) == {"inbox/b.jpg": photo(), "food/b.jpg": photo()}
    assert states(root) == {"food/b.jpg": "filed"}


def test_undo_never_removes_the_only_copy(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    put(root, "gone.jpg", photo("food", 1))
    put(root, "changed.jpg", photo("food", 2))
    put(root, "edited.jpg", photo("food", 3))
    run(foodsort, root)
    (root / "inbox/gone.jpg").unlink()
    put(root, "changed.jpg", photo("food", 9))
    (root / "food/edited.jpg").write_bytes(photo("food", 4))
    code, _, errors = foodsort("undo", "--root", root, "--last")
    assert code == 1
    assert errors.count("is the only copy") == 2
    assert "was changed after it was sorted" in errors
    assert set(states(root).values()) == {"filed"}
    assert {"food/gone.jpg", "food/changed.jpg", "food/edited.jpg"} <= set(tree(root))


def test_correct_moves_the_copy(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    put(root, "a.jpg", photo())
    run(foodsort, root)
    assert foodsort("correct", "--root", root, "food/a.jpg", "--label", "non_food")[0] == 0
    assert foodsort("undo", "--root", root, "non_food/a.jpg")[0] == 0
    assert tree(root) == {"inbox/a.jpg": photo()}


def test_a_failed_copy_is_retried_from_its_original_and_deleted_alone(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    path = put(root, "a.jpg", b"no picture")
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/a.jpg", "failed/a.jpg", "failed/a.jpg.error.json"}
    assert foodsort("retry", "--root", root, "failed/a.jpg")[0] == 0
    assert set(tree(root)) == {"inbox/a.jpg"}
    assert states(root) == {"inbox/a.jpg": "retry"}
    path.write_bytes(photo())  # repaired, and synced
    run(foodsort, root)
    assert states(root) == {"food/a.jpg": "filed"}
    put(root, "b.jpg", b"no picture either")
    run(foodsort, root)
    assert foodsort("delete", "--root", root, "--yes", "failed/b.jpg")[0] == 0
    run(foodsort, root)
    assert states(root) == {"food/a.jpg": "filed", "failed/b.jpg": "deleted"}
    assert set(tree(root)) == {"inbox/a.jpg", "inbox/b.jpg", "food/a.jpg"}


def test_companions_are_copied_and_return(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    put(root, "IMG_1.JPG", photo())
    put(root, "IMG_1.xmp", SIDECAR)
    originals = {"inbox/IMG_1.JPG": photo(), "inbox/IMG_1.xmp": SIDECAR}
    copies = {"food/IMG_1.JPG": photo(), "food/IMG_1.xmp": SIDECAR}
    run(foodsort, root)
    assert tree(root) == originals | copies
    os.utime(root / "inbox/IMG_1.xmp", (1, 1))
    run(foodsort, root)
    assert tree(root) == originals | copies
    assert foodsort("undo", "--root", root, "food/IMG_1.JPG")[0] == 0
    run(foodsort, root)
    assert tree(root) == originals
    assert foodsort("retry", "--root", root, "inbox/IMG_1.JPG")[0] == 0
    run(foodsort, root)
    assert tree(root) == originals | copies
    assert [row["state"] for row in select(root, "SELECT state FROM companions")] == ["filed"]


def test_the_settings_may_change_between_move_and_copy(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "a.jpg", photo("food", 1))
    run(foodsort, root)
    monkeypatch.setenv("FOODSORT_WATCH__TAKE", "move")
    os.utime(root / "inbox/a.jpg", (1, 1))
    put(root, "b.jpg", photo("food", 2))
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/a.jpg", "food/a.jpg", "food/b.jpg"}
    monkeypatch.setenv("FOODSORT_WATCH__TAKE", "copy")
    put(root, "b.jpg", photo("food", 2))  # the sync tool brings it back
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/a.jpg", "inbox/b.jpg", "food/a.jpg", "food/b.jpg"}
    assert foodsort("undo", "--root", root, "food/b.jpg")[0] == 0
    assert set(tree(root)) == {"inbox/a.jpg", "inbox/b.jpg", "food/a.jpg"}


def moves_a_photo(root: Path, photo: Photo) -> bool:
    """Whether a new photo leaves the inbox."""
    number = len(list((root / "inbox").glob("*.jpg")))
    path = put(root, f"{number}.jpg", photo("food", number))
    until((root / f"food/{number}.jpg").exists)
    return not path.exists()


def test_a_reload_between_move_and_copy_takes_no_photo_twice(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOODSORT_WATCH__TAKE")
    (root / "foodsort.toml").write_text('[watch]\ntake = "copy"\n')
    with running(root) as daemon:
        put(root, "a.jpg", photo("food", 1))
        until((root / "food/a.jpg").exists, daemon)
        (root / "foodsort.toml").write_text('[watch]\ntake = "move"\n')
        daemon.send_signal(signal.SIGHUP)
        until(lambda: moves_a_photo(root, photo), daemon)
    assert len(select(root, "SELECT * FROM photos WHERE inbox_path = 'a.jpg'")) == 1
    assert (root / "inbox/a.jpg").exists()


def test_a_running_daemon_counts_no_original_as_waiting(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        path = put(root, "a.jpg", photo())
        until((root / "food/a.jpg").exists, daemon)
        os.utime(path, (1, 1))
        path.open("ab").close()
        until(lambda: sum(status(root)["queue"].values()) == 0, daemon)
        (root / "inbox/b.jpg").write_bytes(photo("non_food"))
        until((root / "non_food/b.jpg").exists, daemon)
    assert states(root) == {"food/a.jpg": "filed", "non_food/b.jpg": "filed"}


def test_a_running_daemon_sorts_an_original_again_after_undo_and_retry(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "600")  # so that only the event leads to it
    with running(root) as daemon:
        put(root, "a.jpg", photo())
        put(root, "b.jpg", b"no picture")
        until(lambda: (root / "food/a.jpg").exists() and (root / "failed/b.jpg").exists(), daemon)
        until(lambda: set(states(root).values()) == {"filed", "failed"}, daemon)
        assert run_command("undo", "--root", root, "food/a.jpg").returncode == 0
        assert states(root)["inbox/a.jpg"] == "undone"
        assert run_command("retry", "--root", root, "inbox/a.jpg", "failed/b.jpg").returncode == 0
        until(lambda: states(root) == {"food/a.jpg": "filed", "failed/b.jpg": "failed"}, daemon)
    assert {row["name"]: row["attempts"] for row in rows(root)} == {"a.jpg": 2, "b.jpg": 2}


def test_a_lost_database_that_repair_has_filled_knows_the_originals(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    put(root, "trip/a.jpg", photo())
    run(foodsort, root)
    for path in root.glob("foodsort.db*"):
        path.unlink()
    assert foodsort("repair", "--root", root)[0] == 0
    run(foodsort, root)
    assert tree(root) == {"inbox/trip/a.jpg": photo(), "food/trip/a.jpg": photo()}
    assert states(root) == {"food/trip/a.jpg": "filed"}


def test_a_dry_run_changes_nothing(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    path = put(root, "a.jpg", photo())
    run(foodsort, root)
    os.utime(path, (1, 1))
    put(root, "b.jpg", photo("food", 1))
    stamps = select(root, "SELECT stamp FROM originals")
    code, _, log = foodsort("run", "--root", root, "--once", "--dry-run")
    assert code == 0
    assert "b.jpg" in log
    assert "food/a.jpg" not in log
    assert select(root, "SELECT stamp FROM originals") == stamps
    assert set(tree(root)) == {"inbox/a.jpg", "inbox/b.jpg", "food/a.jpg"}


def test_files_of_every_kind(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    os.mkfifo(root / "inbox/fifo.jpg")
    (root / "inbox/link.jpg").symlink_to(root / "elsewhere.jpg")
    put(root, os.fsdecode(b"caf\xe9.jpg"), photo("food", 1))
    put(root, "one.jpg", photo("food", 2))
    os.link(root / "inbox/one.jpg", root / "inbox/two.jpg")
    for _ in range(2):
        run(foodsort, root)
        names = {os.fsencode(path.name) for path in (root / "food").iterdir()}
        assert names == {b"caf\xe9.jpg", b"one.jpg", b"two.jpg"}
        assert len(rows(root)) == 3


def test_a_file_that_is_too_large_is_not_copied(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__MAX_BYTES", "3000")
    put(root, "large.jpg", photo(size=700))
    run(foodsort, root, code=1)
    assert set(tree(root)) == {"inbox/large.jpg"}
    assert rows(root) == []


@pytest.mark.parametrize("fault", ["written", "replaced"])
def test_a_file_that_changes_while_it_is_copied_waits(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = put(root, "a.jpg", photo())
    copies = Claims(root / "inbox", 1 << 30)
    copy_open = copy.copy_open

    def changing(*arguments: object, **options: object) -> None:
        if fault == "written":
            path.write_bytes(photo("food", 7))
        else:
            (root / "inbox/b.jpg").write_bytes(photo("food", 7))
            (root / "inbox/b.jpg").rename(path)
        copy_open(*arguments, **options)  # type: ignore[arg-type]

    ready = copies_of(path)
    with monkeypatch.context() as patch:
        patch.setattr(copy, "copy_open", changing)
        with pytest.raises(FileChanged):
            copies.claim(ready)
    assert tree(root) == {"inbox/a.jpg": photo("food", 7)}
    with pytest.raises(FileChanged):
        copies.claim(copies_of(path, sha256=hashlib.sha256(b"other bytes").hexdigest()))
    claimed = copies.claim(copies_of(path))
    with pytest.raises(FileExistsError):
        copies.claim(copies_of(path))
    assert holds_copies(claimed.run_id)
    claimed.close()
    assert copies.give_back(claimed.path, claimed.run_id) == b"a.jpg"
    assert [path.name for path in (root / "inbox/.foodsort").rglob("*") if path.is_file()] == []
    copies.close()


def test_a_file_without_rights_is_refused(root: Path) -> None:
    copies = Claims(root / "inbox", 1 << 30)
    path = put(root, "a.jpg", b"")
    ready = copies_of(path)
    path.unlink()
    path.symlink_to("b.jpg")
    with pytest.raises(FileRefused):
        copies.claim(ready)
    assert issubclass(copy.CopyDiffers, OSError)
    copies.close()


KILLED = [
    "claimed",
    "copied",
    "batched",
    "classified",
    "recorded",
    "moved",
    "synced",
    "finished",
    "moved:2",
    "copied:3",
]


@pytest.mark.slow
@pytest.mark.parametrize("point", KILLED)
def test_a_kill_at_any_point_loses_doubles_and_takes_twice_no_photo(
    root: Path, photo: Photo, foodsort: Foodsort, point: str, each_database: None
) -> None:
    content = {"a.jpg": photo("food", 1), "b.jpg": photo("non_food", 2), "c.jpg": photo("food", 3)}
    for name, data in content.items():
        put(root, name, data)
    kill_run_at(root, point)
    os.utime(root / "inbox/a.jpg", (1, 1))
    run(foodsort, root)
    run(foodsort, root)
    expected = {f"inbox/{name}": data for name, data in content.items()}
    expected |= {f"{'non_food' if name == 'b.jpg' else 'food'}/{name}": data for name, data in content.items()}
    assert tree(root) == expected
    assert states(root) == dict.fromkeys((path for path in expected if "inbox" not in path), "filed")
    assert [path for path in (root / "inbox/.foodsort").rglob("*") if path.name.endswith((".jpg", ".part"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["claimed", "recorded", "moved"])
def test_a_kill_and_an_original_that_is_deleted_before_the_next_start(
    root: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    put(root, "a.jpg", photo())
    kill_run_at(root, point)
    (root / "inbox/a.jpg").unlink()
    run(foodsort, root)
    assert tree(root) == {"food/a.jpg": photo()}
    put(root, "b.jpg", photo())  # it was renamed
    run(foodsort, root)
    assert states(root) == {"food/a.jpg": "filed"}


@pytest.mark.slow
@pytest.mark.parametrize("point", ["begun", "taken", "arrived"])
@pytest.mark.parametrize("original", ["there", "gone"])
def test_a_killed_undo_is_completed_and_never_removes_the_last_file(
    root: Path, photo: Photo, foodsort: Foodsort, point: str, original: str
) -> None:
    put(root, "IMG_1.JPG", photo())
    put(root, "IMG_1.xmp", SIDECAR)
    run(foodsort, root)
    kill_at(point, "undo", "--root", root, "food/IMG_1.JPG")
    if original == "gone" and point != "arrived":  # else the copy is removed already, before the original is
        (root / "inbox/IMG_1.JPG").unlink()
    run(foodsort, root)
    run(foodsort, root)
    assert tree(root) == {"inbox/IMG_1.JPG": photo(), "inbox/IMG_1.xmp": SIDECAR}
    assert states(root) == {"inbox/IMG_1.JPG": "undone"}
    assert [row["state"] for row in select(root, "SELECT state FROM companions")] == ["filed"]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["begun", "taken", "unexplained", "arrived"])
def test_a_killed_retry_is_completed_with_one_row(root: Path, foodsort: Foodsort, point: str) -> None:
    put(root, "a.jpg", b"no picture")
    run(foodsort, root)
    kill_at(point, "retry", "--root", root, "failed/a.jpg")
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/a.jpg", "failed/a.jpg", "failed/a.jpg.error.json"}
    assert [(row["path"], row["state"], row["attempts"]) for row in rows(root)] == [("failed/a.jpg", "failed", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["claimed", "recorded", "moved"])
def test_a_killed_companion_is_copied_once(root: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    put(root, "IMG_1.JPG", photo())
    run(foodsort, root)
    put(root, "IMG_1.xmp", SIDECAR)
    kill_run_at(root, point)
    run(foodsort, root)
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/IMG_1.JPG", "inbox/IMG_1.xmp", "food/IMG_1.JPG", "food/IMG_1.xmp"}
    assert [row["state"] for row in select(root, "SELECT state FROM companions")] == ["filed"]


@pytest.mark.system
def test_a_full_disk_is_waited_for(root: Path, photo: Photo) -> None:
    (root / "inbox").rmdir()
    with mounted(root / "inbox", "size=600k"), running(root) as daemon:
        filling = fill(root / "inbox")
        filling.write_bytes(filling.read_bytes()[: -len(photo()) - 8192])
        put(root, "a.jpg", photo())
        until(lambda: status(root)["waiting_for"] is not None or (root / "food/a.jpg").exists(), daemon)
        filling.unlink()
        until((root / "food/a.jpg").exists, daemon)
        assert (root / "inbox/a.jpg").read_bytes() == photo()


def test_repair_does_not_bring_back_a_copy_that_a_person_deleted(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        put(root, name, photo("food", shade))
    run(foodsort, root)
    assert foodsort("undo", "--root", root, "food/c.jpg")[0] == 0
    (root / "food/a.jpg").unlink()
    assert foodsort("repair", "--root", root)[0] == 0
    run(foodsort, root)
    assert set(tree(root)) == {"inbox/a.jpg", "inbox/b.jpg", "inbox/c.jpg", "food/b.jpg"}
    assert states(root) == {"food/a.jpg": "missing", "food/b.jpg": "filed", "inbox/c.jpg": "undone"}
