"""`foodsort repair`: rows and folders are brought together, and no photo is touched."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from daemon import failpoints
from daemon.database import integrity
from tests.daemon.conftest import Foodsort, Photo, running, tree
from tests.daemon.database.damage import leaves, overwrite
from tests.daemon.photos import drop, run_once
from tests.daemon.processes import kill_at
from tests.daemon.rows import execute, rows, select, states

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with a photo in food/trip/, one in non_food/ and a failed one."""
    drop(root, "trip/soup.jpg", photo("food"))
    drop(root, "sea.jpg", photo("non_food"))
    drop(root, "bill.pdf", b"%PDF")
    run_once(root, foodsort)
    return root


def stats(root: Path) -> dict[str, tuple[int, int, int]]:
    """What a move, a copy or a change of a photo would change."""
    found = {}
    for name in tree(root):
        stat = (root / name).stat()
        found[name] = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    return found


def repaired(root: Path, foodsort: Foodsort, *options: str) -> dict[str, int]:
    """What was done. No photo may be touched, and a second repair has nothing to do."""
    before = stats(root)
    code, preview, err = foodsort("repair", "--root", root, "--format", "json", "--dry-run", *options)
    assert (code, "Traceback" in err) == (0, False), err
    code, out, err = foodsort("repair", "--root", root, "--format", "json", *options)
    assert (code, "Traceback" in err) == (0, False), err
    assert json.loads(preview) == json.loads(out)
    again = json.loads(foodsort("repair", "--root", root, "--format", "json", *options)[1])
    assert {name: number for name, number in again.items() if number and name not in {"unchanged", "ignored"}} == {}
    assert stats(root) == before
    return {name: number for name, number in json.loads(out).items() if number}


def lost(root: Path) -> None:
    """Removes the database."""
    for path in root.glob("foodsort.db*"):
        path.unlink()


def audit(root: Path) -> None:
    """Each photo has one row that names its place, and each row in such a state has its photo."""
    photos = {
        name for name in tree(root) if not name.endswith((".error.json", ".toml")) and name.split("/")[0] != "inbox"
    }
    named = [row["path"] for row in rows(root) if row["state"] in {"filed", "failed", "duplicate"}]
    assert sorted(named) == sorted(photos)


def test_a_root_as_it_should_be_is_left_as_it_is(sorted_root: Path, foodsort: Foodsort) -> None:
    before = rows(sorted_root)
    assert repaired(sorted_root, foodsort) == {"unchanged": 3}
    assert rows(sorted_root) == before
    assert foodsort("repair", "--root", sorted_root)[1] == (
        "0 added, 0 missing, 0 merged, 0 moved, 0 changed; 3 unchanged\n"
    )


@pytest.mark.usefixtures("each_database")
def test_photos_without_a_row_are_taken_up(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "foodsort.toml").write_text('[images]\nduplicates = "skip"\n')
    drop(root, "trip/soup.jpg", photo("food"))
    drop(root, "sea.jpg", photo("non_food"))
    drop(root, "bill.pdf", b"%PDF")
    run_once(root, foodsort)
    drop(root, "copy.jpg", photo("food"))
    drop(root, os.fsdecode(b"caf\xe9.jpg"), photo("food", shade=9))
    run_once(root, foodsort)
    (root / "food/notes.txt").write_text("no photo")
    (root / "food/.hidden.jpg").write_bytes(photo())
    before = {row["name"]: row for row in rows(root)}
    execute(root, "DELETE FROM photos")
    assert repaired(root, foodsort) == {"added": 5, "ignored": 1}
    after = {row["name"]: row for row in rows(root)}
    same = (
        "name",
        "path",
        "sha256",
        "label",
        "state",
        "inbox_path",
        "size_bytes",
        "modified_at",
        "error_kind",
        "error_message",
    )
    assert {name: [row[column] for column in same] for name, row in after.items()} == {
        name: [row[column] for column in same] for name, row in before.items()
    }
    assert after["copy.jpg"]["duplicate_of"] == after["soup.jpg"]["id"]
    assert [after["soup.jpg"][name] for name in ("probability", "model", "engine")] == [None, "repair", "repair"]
    for word in ("undo", "correct"):
        options = ("--label", "food") if word == "correct" else ()
        assert foodsort(word, "--root", root, "non_food/sea.jpg", *options)[0] == (0 if word == "undo" else 1)
    assert (root / "inbox/sea.jpg").exists()


def test_the_first_photos_of_a_root_without_a_database(sorted_root: Path, foodsort: Foodsort) -> None:
    lost(sorted_root)
    assert repaired(sorted_root, foodsort) == {"added": 3}
    audit(sorted_root)
    assert run_once(sorted_root, foodsort).startswith("0 photos")


def test_photos_without_a_row_are_classified_on_request(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (sorted_root / "food/blue.jpg").write_bytes(photo("non_food", shade=3))
    (sorted_root / "food/cut.jpg").write_bytes(photo(size=256)[:1000])
    assert repaired(sorted_root, foodsort, "--classify") == {"added": 2, "unchanged": 3}
    blue, cut = (next(row for row in rows(sorted_root) if row["name"] == name) for name in ("blue.jpg", "cut.jpg"))
    assert (blue["path"], blue["label"], blue["format"], blue["engine"]) == (
        "food/blue.jpg",
        "non_food",
        "JPEG",
        "scripted",
    )
    assert blue["probability"] < 0.5
    assert (cut["label"], cut["probability"], cut["state"]) == ("food", None, "filed")


def test_what_a_person_moved_renamed_removed_and_edited(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for number in range(3):
        drop(sorted_root, f"{number}.jpg", photo(shade=10 + number))
    run_once(sorted_root, foodsort)
    assert foodsort("correct", "--root", sorted_root, "food/0.jpg", "--label", "food")[0] == 0
    (sorted_root / "non_food/old").mkdir()
    (sorted_root / "food/0.jpg").rename(sorted_root / "non_food/old/zero.jpg")
    (sorted_root / "food/1.jpg").unlink()
    edited = sorted_root / "food/2.jpg"
    edited.unlink()
    edited.write_bytes(photo(shade=12) + b"\0caption")
    (sorted_root / "failed/bill.pdf").write_bytes(photo(shade=20))
    before = {row["inbox_path"]: row for row in rows(sorted_root)}
    assert repaired(sorted_root, foodsort) == {"moved": 1, "missing": 1, "changed": 1, "unchanged": 3}
    after = {row["inbox_path"]: row for row in rows(sorted_root)}
    assert {name: row["id"] for name, row in before.items()} == {name: row["id"] for name, row in after.items()}
    zero = after["0.jpg"]
    assert (zero["path"], zero["corrected_label"], zero["state"]) == ("non_food/old/zero.jpg", "food", "filed")
    assert after["1.jpg"]["state"] == "missing"
    assert after["bill.pdf"] == before["bill.pdf"]
    for path in ("food/2.jpg", "non_food/old/zero.jpg"):
        assert foodsort("undo", "--root", sorted_root, path)[0] == 0
    assert foodsort("delete", "--root", sorted_root, "--yes", "failed/bill.pdf")[0] == 1


def test_a_photo_that_is_back_has_its_row_again(sorted_root: Path, foodsort: Foodsort) -> None:
    photo = sorted_root / "food/trip/soup.jpg"
    photo.rename(sorted_root / "away.jpg")
    assert repaired(sorted_root, foodsort) == {"missing": 1, "unchanged": 2}
    (sorted_root / "away.jpg").rename(photo)
    assert repaired(sorted_root, foodsort) == {"moved": 1, "unchanged": 2}
    assert states(sorted_root)["food/trip/soup.jpg"] == "filed"


def test_a_photo_that_a_person_dragged_back_to_the_inbox_keeps_its_row(sorted_root: Path, foodsort: Foodsort) -> None:
    number = next(row["id"] for row in rows(sorted_root) if row["name"] == "soup.jpg")
    (sorted_root / "food/trip/soup.jpg").rename(sorted_root / "inbox/again.jpg")
    assert repaired(sorted_root, foodsort) == {"moved": 1, "unchanged": 2}
    assert states(sorted_root)["inbox/again.jpg"] == "retry"
    run_once(sorted_root, foodsort)
    assert len(rows(sorted_root)) == 3
    assert next(row["id"] for row in rows(sorted_root) if row["path"] == "food/again.jpg") == number


def test_two_rows_for_one_photo_become_one_with_all_labels(sorted_root: Path, foodsort: Foodsort) -> None:
    assert foodsort("correct", "--root", sorted_root, "food/trip/soup.jpg", "--label", "food")[0] == 0
    (columns,) = select(sorted_root, "SELECT * FROM photos WHERE name = 'soup.jpg'")
    names = ", ".join(name for name in columns if name != "id")
    execute(sorted_root, f"INSERT INTO photos ({names}) SELECT {names} FROM photos WHERE name = 'soup.jpg'")
    assert repaired(sorted_root, foodsort) == {"merged": 1, "unchanged": 3}
    (row,) = (row for row in rows(sorted_root) if row["name"] == "soup.jpg")
    assert (row["id"], row["corrected_label"]) == (4, "food")
    events = select(sorted_root, "SELECT kind, message FROM events ORDER BY id")
    assert [event["kind"] for event in events] == ["merged", "repaired", "repaired"]
    assert "1 merged, 0 moved, 0 changed; 3 unchanged" in events[1]["message"]


def test_an_older_backup_is_brought_up_to_date(
    sorted_root: Path, photo: Photo, foodsort: Foodsort, tmp_path: Path
) -> None:
    drop(sorted_root, "undone.jpg", photo(shade=30))
    drop(sorted_root, "sorted.jpg", photo(shade=31))
    run_once(sorted_root, foodsort)
    for name in ("undone", "sorted"):
        assert foodsort("undo", "--root", sorted_root, f"food/{name}.jpg")[0] == 0
    with (
        closing(sqlite3.connect(sorted_root / "foodsort.db")) as source,
        closing(sqlite3.connect(tmp_path / "b.db")) as to,
    ):
        source.backup(to)
    # After the backup:
    assert foodsort("retry", "--root", sorted_root, "inbox/sorted.jpg")[0] == 0
    assert foodsort("correct", "--root", sorted_root, "food/trip/soup.jpg", "--label", "non_food")[0] == 0
    assert foodsort("delete", "--root", sorted_root, "--yes", "failed/bill.pdf")[0] == 0
    drop(sorted_root, "sea.jpg", photo("non_food", shade=32))
    run_once(sorted_root, foodsort)
    # Another disk: each file has another inode.
    restored = tmp_path / "restored"
    subprocess.run(["cp", "-a", sorted_root, restored], check=True)
    lost(restored)
    shutil.copy(tmp_path / "b.db", restored / "foodsort.db")
    assert repaired(restored, foodsort) == {"added": 1, "missing": 1, "moved": 2, "refreshed": 2, "unchanged": 2}
    assert states(restored) == {
        "non_food/trip/soup.jpg": "filed",
        "non_food/sea.jpg": "filed",
        "non_food/sea (2).jpg": "filed",
        "failed/bill.pdf": "missing",
        "food/sorted.jpg": "filed",
        "inbox/undone.jpg": "undone",
    }
    audit(restored)
    assert run_once(restored, foodsort).startswith("0 photos")


@pytest.mark.parametrize("point", ["claimed", "moved"])
def test_photos_in_flight_are_left_to_the_daemon(root: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    for number in range(3):
        drop(root, f"{number}.jpg", photo(shade=number))
    kill_at(point, "run", "--root", root, "--once")
    code, out, _ = foodsort("repair", "--root", root, "--format", "json")
    assert code == 0
    assert {name for name, number in json.loads(out).items() if number} <= {"unchanged", "refreshed"}
    run_once(root, foodsort)
    assert states(root) == {f"food/{number}.jpg": "filed" for number in range(3)}


def test_a_folder_that_is_away_as_a_whole_changes_nothing(sorted_root: Path, foodsort: Foodsort) -> None:
    before = rows(sorted_root)
    (sorted_root / "food").rename(sorted_root / "elsewhere")
    code, _, err = foodsort("repair", "--root", sorted_root)
    assert (code, "food does not exist, but rows name photos in it; mount it" in err) == (1, True)
    # The bare folder below a mount that is missing.
    (sorted_root / "food").mkdir()
    execute(sorted_root, "UPDATE photos SET identity = '1:1' WHERE name = 'soup.jpg'")
    code, _, err = foodsort("repair", "--root", sorted_root)
    assert (code, "food is empty and was on another filesystem" in err) == (1, True)
    assert rows(sorted_root) == before


def test_a_folder_that_cannot_be_read_changes_no_row(sorted_root: Path, foodsort: Foodsort) -> None:
    (sorted_root / "food/trip/soup.jpg").rename(sorted_root / "food/trip/new.jpg")
    before = {row["id"]: row["state"] for row in rows(sorted_root)}
    name = "x" * 300  # ENAMETOOLONG, which root gets too
    execute(sorted_root, f"UPDATE photos SET path_bytes = CAST('food/{name}/a.jpg' AS BLOB) WHERE name = 'soup.jpg'")
    code, out, err = foodsort("repair", "--root", sorted_root, "--format", "json")
    assert (code, json.loads(out)["unreadable"], "cannot be looked for: File name too long" in err) == (1, 1, True)
    assert before.items() <= {row["id"]: row["state"] for row in rows(sorted_root)}.items()


def test_beside_a_daemon_it_only_looks(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    with running(root):
        code, _, err = foodsort("repair", "--root", root)
        assert (code, "sorts" in err, "stop it first" in err) == (1, True, True)
        assert foodsort("repair", "--root", root, "--dry-run")[0] == 0


def test_the_database_of_another_root_is_refused(sorted_root: Path, foodsort: Foodsort, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "inbox").mkdir(parents=True)
    (other / "foodsort.toml").write_text(f'[database]\nurl = "sqlite:///{sorted_root}/foodsort.db"\n')
    before = rows(sorted_root)
    for options in ((), ("--dry-run",)):
        code, _, err = foodsort("repair", "--root", other, *options)
        assert (code, "belongs to another root" in err) == (1, True)
    assert rows(sorted_root) == before


def messy(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    """A root with a difference of each kind."""
    for number in range(8):
        drop(root, f"{number}.jpg", photo(shade=10 + number))
    run_once(root, foodsort)
    food = root / "food"
    (food / "0.jpg").rename(food / "renamed.jpg")
    (food / "1.jpg").unlink()
    (food / "2.jpg").write_bytes(photo(shade=12) + b"\0")
    (food / "3.jpg").rename(root / "inbox/3.jpg")
    (food / "new.jpg").write_bytes(photo(shade=99))
    (columns,) = select(root, "SELECT * FROM photos WHERE name = '4.jpg'")
    names = ", ".join(name for name in columns if name != "id")
    execute(root, f"INSERT INTO photos ({names}) SELECT {names} FROM photos WHERE name = '4.jpg'")


def described(root: Path) -> list[tuple[Any, ...]]:
    columns = ("id", "path", "sha256", "state", "label", "corrected_label", "inbox_path")
    return [tuple(row[column] for column in columns) for row in rows(root)]


class Killed(BaseException):
    """In the place of the kill at a failpoint."""


def test_killed_after_any_change_the_next_call_comes_to_the_same_end(
    root: Path, photo: Photo, foodsort: Foodsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messy(root, photo, foodsort)
    whole = tmp_path / "whole"
    shutil.copytree(root, whole)
    assert foodsort("repair", "--root", whole)[0] == 0
    assert "missing" in states(whole).values()
    for last in range(20):
        copy = tmp_path / f"killed-{last}"
        subprocess.run(["cp", "-a", root, copy], check=True)
        if last == 0:
            kill_at("repairing:2", "repair", "--root", copy)
        passes = iter(range(last))

        def die(name: str, passes: Iterator[int] = passes) -> None:
            if name == "repairing" and next(passes, None) is None:
                raise Killed

        with monkeypatch.context() as killing, suppress(Killed):
            killing.setattr(failpoints, "failpoint", die)
            foodsort("repair", "--root", copy)
            break
        assert foodsort("repair", "--root", copy)[0] == 0
        assert described(copy) == described(whole)
    assert last >= 5


def test_a_damaged_database_is_replaced_by_what_can_be_read(
    sorted_root: Path, foodsort: Foodsort, tmp_path: Path
) -> None:
    before = described(sorted_root)
    database = sorted_root / "foodsort.db"
    overwrite(database, leaves(database, "ix_photos_sha256")[0])
    code, out, err = foodsort("repair", "--root", sorted_root, "--dry-run")
    assert (code, "damaged" in err, "3 rows of photos and 0 labels" in err) == (0, True, True)
    assert integrity.find_damage(database) is not None
    code, out, err = foodsort("repair", "--root", sorted_root, "--format", "json")
    assert (code, json.loads(out)["unchanged"], "The damaged file is" in err) == (0, 3, True)
    assert integrity.find_damage(database) is None
    assert described(sorted_root) == before
    assert len(list(sorted_root.glob("foodsort.db.corrupt-*Z"))) == 1
    # Nothing can be read.
    lost(sorted_root)
    database.write_bytes(b"no database" * 1000)
    assert repaired(sorted_root, foodsort) == {"added": 3}
