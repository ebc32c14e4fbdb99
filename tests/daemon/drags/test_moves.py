"""A sorted photo that a person moves by hand, beside a real daemon: the row follows, and a move between labels counts."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.rows import event_messages, rows, select, states

pytestmark = pytest.mark.slow


def sort(root: Path, foodsort: Foodsort, **photos: bytes) -> None:
    for name, data in photos.items():
        (root / f"inbox/{name}.jpg").write_bytes(data)
    assert foodsort("run", "--root", root, "--once")[0] == 0


def reviews(root: Path) -> list[tuple[int, str, str]]:
    return [tuple(row.values()) for row in select(root, "SELECT photo_id, label, source FROM reviews ORDER BY id")]


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with the sorted photos food/a.jpg and non_food/b.jpg."""
    sort(root, foodsort, a=photo("food"), b=photo("non_food"))
    return root


@pytest.mark.usefixtures("each_database")
def test_a_photo_that_is_moved_to_the_folder_of_another_label_has_that_label(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        until(lambda: states(root) == {"food/a.jpg": "filed", "food/b.jpg": "filed"}, patience_s=5)
    (a, b) = rows(root)
    assert (b["id"], b["label"], b["corrected_label"], b["predicted_label"]) == (2, "food", "food", "non_food")
    assert reviews(root) == [(2, "food", "move")]
    assert len(event_messages(root, "dragged")) == 1
    assert a["corrected_label"] is None
    assert tree(root) == {"food/a.jpg": photo("food"), "food/b.jpg": photo("non_food")}


def test_a_folder_that_is_moved_whole_counts_for_each_of_its_photos(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    (root / "inbox/trip/day").mkdir(parents=True)
    for number in range(3):
        (root / f"inbox/trip/{number}.jpg").write_bytes(photo("non_food", number))
        (root / f"inbox/trip/day/{number}.jpg").write_bytes(photo("non_food", 10 + number))
    sort(root, foodsort)
    with running(root):
        (root / "non_food/trip").rename(root / "food/trip")
        until(lambda: len(reviews(root)) == 6, patience_s=5)
        assert all(row["path"].startswith("food/trip/") and row["label"] == "food" for row in rows(root))
        # The folder is watched at its new place.
        (root / "food/trip/day/1.jpg").rename(root / "non_food/1.jpg")
        until(lambda: len(reviews(root)) == 7, patience_s=5)
    assert states(root)["non_food/1.jpg"] == "filed"


def test_a_new_name_or_sub_folder_says_nothing_about_the_label(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "food/a.jpg").rename(root / "food/dinner.jpg")
        until(lambda: "food/dinner.jpg" in states(root), patience_s=5)
        (root / "food/2026").mkdir()
        (root / "food/dinner.jpg").rename(root / "food/2026/dinner.jpg")
        until(lambda: "food/2026/dinner.jpg" in states(root), patience_s=5)
    assert len(rows(root)) == 2
    assert reviews(root) == []


def test_a_photo_moved_to_a_folder_without_a_label_keeps_its_label(
    sorted_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__UNSURE", "unsure")
    root = sorted_root
    with running(root):
        (root / "food/a.jpg").rename(root / "unsure/a.jpg")
        until(lambda: "unsure/a.jpg" in states(root), patience_s=5)
        (root / "non_food/b.jpg").rename(root / "failed/b.jpg")
        until(lambda: "failed/b.jpg" in states(root), patience_s=5)
        assert reviews(root) == []
        assert [row["label"] for row in rows(root)] == ["food", "non_food"]
        (root / "unsure/a.jpg").rename(root / "food/a.jpg")
        until(lambda: "food/a.jpg" in states(root), patience_s=5)
    assert reviews(root) == [(1, "food", "move")]


def test_there_and_back_before_it_settles_is_nothing(sorted_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__SETTLE_S", "1")
    root = sorted_root
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        (root / "food/b.jpg").rename(root / "non_food/b.jpg")
        (root / "food/a.jpg").rename(root / "food/last.jpg")  # settles last
        until(lambda: "food/last.jpg" in states(root), patience_s=6)
    assert states(root) == {"food/last.jpg": "filed", "non_food/b.jpg": "filed"}
    assert reviews(root) == []


def test_each_place_where_it_settles_is_one_label(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        until(lambda: len(reviews(root)) == 1, patience_s=5)
        (root / "food/b.jpg").rename(root / "non_food/b.jpg")
        until(lambda: len(reviews(root)) == 2, patience_s=5)
    assert reviews(root) == [(2, "food", "move"), (2, "non_food", "move")]


def test_two_photos_change_places(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root):
        (root / "food/a.jpg").rename(root / "x")
        (root / "non_food/b.jpg").rename(root / "food/a.jpg")
        (root / "x").rename(root / "non_food/b.jpg")
        until(lambda: len(reviews(root)) == 2, patience_s=5)
    assert [(row["path"], row["state"], row["label"]) for row in rows(root)] == [
        ("non_food/b.jpg", "filed", "non_food"),
        ("food/a.jpg", "filed", "food"),
    ]
    assert tree(root) == {"food/a.jpg": photo("non_food"), "non_food/b.jpg": photo("food")}


def test_a_photo_that_is_removed_is_missing_until_it_comes_back(sorted_root: Path) -> None:
    root = sorted_root
    away = root / "away.jpg"
    with running(root):
        shutil.move(root / "food/a.jpg", away)
        until(lambda: rows(root)[0]["state"] == "missing", patience_s=10)
        shutil.copy(away, root / "food/again.jpg")  # other inode, time and name
        until(lambda: states(root).get("food/again.jpg") == "filed", patience_s=5)
        assert reviews(root) == []
        (root / "food/again.jpg").unlink()
        until(lambda: rows(root)[0]["state"] == "missing", patience_s=10)
        shutil.copy(away, root / "non_food/a.jpg")
        until(lambda: states(root).get("non_food/a.jpg") == "filed", patience_s=5)
    assert reviews(root) == [(1, "non_food", "move")]
    assert len(rows(root)) == 2


def test_a_folder_that_is_removed_or_moved_away(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/trip").mkdir()
    (root / "inbox/trip/a.jpg").write_bytes(photo())
    sort(root, foodsort, b=photo("food", 1))
    with running(root):
        (root / "food/trip").rename(root / "elsewhere")
        until(lambda: states(root).get("food/trip/a.jpg") == "missing", patience_s=10)
        assert states(root)["food/b.jpg"] == "filed"
        (root / "elsewhere").rename(root / "non_food/trip")
        until(lambda: states(root).get("non_food/trip/a.jpg") == "filed", patience_s=5)
    assert reviews(root) == [(1, "non_food", "move")]


def test_a_photo_that_is_copied_and_removed_is_recognised_by_its_bytes(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        shutil.copy(root / "non_food/b.jpg", root / "food/copy.jpg")
        shutil.copy(root / "food/a.jpg", root / "food/last.jpg")
        (root / "food/a.jpg").unlink()
        until(lambda: states(root).get("food/last.jpg") == "filed", patience_s=5)
        assert states(root)["non_food/b.jpg"] == "filed"  # a copy beside its original is no move
        (root / "non_food/b.jpg").unlink()
        until(lambda: states(root).get("food/copy.jpg") == "filed", patience_s=5)
    assert reviews(root) == [(2, "food", "move")]
    assert len(rows(root)) == 2


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_move_to_another_filesystem(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, *, is_running: bool
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__NON_FOOD", str(elsewhere / "non_food"))
    sort(root, foodsort, a=photo("food"), b=photo("non_food"))
    moves = {
        root / "food/a.jpg": elsewhere / "non_food/a.jpg",
        elsewhere / "non_food/b.jpg": root / "food/b.jpg",
    }
    if is_running:
        with running(root):
            for source, target in moves.items():
                shutil.move(source, target)
            until(lambda: len(reviews(root)) == 2, patience_s=8)
    else:
        for source, target in moves.items():
            shutil.move(source, target)
        sort(root, foodsort)
    assert sorted(reviews(root)) == [(1, "non_food", "move"), (2, "food", "move")]
    assert set(states(root)) == {f"{elsewhere}/non_food/a.jpg", "food/b.jpg"}


def test_it_is_found_after_the_daemon_was_stopped(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    shutil.move(root / "non_food/b.jpg", root / "food/b.jpg")
    sort(root, foodsort)
    assert states(root) == {"food/a.jpg": "filed", "food/b.jpg": "filed"}
    assert reviews(root) == [(2, "food", "move")]


def test_all_of_it_after_the_daemon_was_stopped(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/trip").mkdir()
    for number in range(3):
        (root / f"inbox/trip/{number}.jpg").write_bytes(photo("non_food", number))
    sort(root, foodsort, a=photo("food"), b=photo("non_food"), c=photo("food", 2))
    (root / "non_food/trip").rename(root / "food/trip")
    (root / "food/a.jpg").rename(root / "food/renamed.jpg")
    (root / "non_food/b.jpg").unlink()
    sort(root, foodsort)
    expected = {f"food/trip/{number}.jpg": "filed" for number in range(3)}
    expected |= {"food/renamed.jpg": "filed", "non_food/b.jpg": "missing", "food/c.jpg": "filed"}
    assert states(root) == expected
    assert sorted(label for _, label, _ in reviews(root)) == ["food"] * 3
    sort(root, foodsort)
    assert states(root) == expected
    assert len(reviews(root)) == 3


def test_it_can_be_turned_off(sorted_root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__DRAGS", "false")
    root = sorted_root
    before = rows(root)
    (root / "non_food/b.jpg").rename(root / "food/b.jpg")
    with running(root):
        (root / "food/a.jpg").unlink()
        (root / "inbox/c.jpg").write_bytes((root / "food/b.jpg").read_bytes())
        until(lambda: len(rows(root)) == 3)
    sort(root, foodsort)
    assert rows(root)[:2] == before


def test_a_photo_moved_back_to_the_inbox_is_sorted_again_and_keeps_its_row(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root):
        (root / "food/a.jpg").rename(root / "inbox/a.jpg")
        until(lambda: rows(root)[0]["attempts"] == 2 and rows(root)[0]["state"] == "filed", patience_s=10)
    assert len(rows(root)) == 2
    assert reviews(root) == []
    assert tree(root) == {"food/a.jpg": photo("food"), "non_food/b.jpg": photo("non_food")}


def test_what_is_no_photo_is_left_alone(sorted_root: Path) -> None:
    root = sorted_root
    strange = b"caf\xe9.jpg"
    with running(root):
        (root / "non_food/link.jpg").symlink_to(root / "food/a.jpg")
        os.mkfifo(root / "non_food/fifo.jpg")
        (root / "non_food/notes.txt").write_text("notes")
        os.rename(os.fsencode(root / "non_food/b.jpg"), os.fsencode(root / "food") + b"/" + strange)
        until(lambda: len(reviews(root)) == 1, patience_s=5)
    (row,) = select(root, "SELECT path_bytes, path FROM photos WHERE id = 2")
    assert bytes(row["path_bytes"]) == b"food/" + strange
    assert len(rows(root)) == 2


def test_a_photo_that_was_edited_before_it_moved(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root):
        with (root / "non_food/b.jpg").open("ab") as file:
            file.write(b"more")
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        until(lambda: len(reviews(root)) == 1, patience_s=5)
    (row,) = select(root, "SELECT sha256, size_bytes FROM photos WHERE id = 2")
    data = photo("non_food") + b"more"
    assert row == {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def test_another_photo_with_the_inode_of_a_removed_one_is_not_taken_for_it(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    (root / "non_food/b.jpg").unlink()
    (root / "food/new.jpg").write_bytes(photo("food", 99, size=100))
    with running(root):
        until(lambda: states(root)["non_food/b.jpg"] == "missing", patience_s=10)
    assert len(rows(root)) == 2
    assert reviews(root) == []


def test_a_photo_that_is_overwritten_by_another_is_missing(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/a.jpg")
        until(lambda: len(reviews(root)) == 1, patience_s=5)
    assert [(row["path"], row["state"]) for row in rows(root)] == [("food/a.jpg", "missing"), ("food/a.jpg", "filed")]


def test_of_a_file_with_two_names_each_is_a_photo_of_its_own(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    os.link(root / "inbox/a.jpg", root / "inbox/b.jpg")
    sort(root, foodsort)
    b = next(row["id"] for row in rows(root) if row["path"] == "food/b.jpg")
    with running(root):
        (root / "food/b.jpg").rename(root / "non_food/other.jpg")
        until(lambda: len(reviews(root)) == 1, patience_s=5)
    assert reviews(root) == [(b, "non_food", "move")]
    assert set(states(root)) == {"food/a.jpg", "non_food/other.jpg"}


def test_a_failed_photo_that_a_person_files_has_the_label_of_its_folder(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    sort(root, foodsort, cut=photo()[:400])
    with running(root):
        (root / "failed/cut.jpg").rename(root / "food/cut.jpg")
        until(lambda: states(root) == {"food/cut.jpg": "filed"}, patience_s=5)
    (row,) = rows(root)
    assert (row["label"], row["predicted_label"], row["error_kind"]) == ("food", "food", None)
    assert reviews(root) == []


def test_a_whole_folder_that_is_away_loses_no_photo(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "food").rename(root / "set aside")
        (root / "non_food/b.jpg").unlink()
        until(lambda: states(root)["non_food/b.jpg"] == "missing", patience_s=10)
        assert states(root)["food/a.jpg"] == "filed"
        (root / "set aside").rename(root / "food")
        (root / "food/a.jpg").rename(root / "non_food/a.jpg")
        until(lambda: len(reviews(root)) == 1, patience_s=90)
    assert reviews(root) == [(1, "non_food", "move")]
