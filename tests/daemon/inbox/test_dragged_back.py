"""A sorted photo that somebody moved back to the inbox by hand stays one row and is sorted again."""

import os
import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow


def sort(root: Path, foodsort: Foodsort) -> None:
    assert foodsort("run", "--root", root, "--once")[0] == 0


@pytest.mark.usefixtures("each_database")
def test_it_is_sorted_again_and_keeps_its_row(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    sort(root, foodsort)
    foodsort("correct", "--root", root, "--label", "non_food", root / "food/a.jpg")
    (root / "inbox/trip").mkdir()
    (root / "non_food/a.jpg").rename(root / "inbox/trip/b.jpg")
    sort(root, foodsort)
    (row,) = rows(root)
    assert (row["id"], row["path"], row["state"], row["attempts"]) == (1, "non_food/trip/b.jpg", "filed", 2)
    assert row["corrected_label"] == "non_food"  # the person's label counts on
    assert tree(root) == {"non_food/trip/b.jpg": photo()}


def test_a_failed_one_too(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/cut.jpg").write_bytes(photo()[:400])
    sort(root, foodsort)
    (root / "failed/cut.jpg").rename(root / "inbox/cut.jpg")
    sort(root, foodsort)
    (row,) = rows(root)
    assert (row["state"], row["attempts"]) == ("failed", 2)


def test_of_two_names_of_one_file_each_keeps_its_row(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    os.link(root / "inbox/a.jpg", root / "inbox/b.jpg")
    sort(root, foodsort)
    before = {row["id"]: row["path"] for row in rows(root)}
    assert set(before.values()) == {"food/a.jpg", "food/b.jpg"}
    for name in ("a.jpg", "b.jpg"):
        (root / "food" / name).rename(root / "inbox" / name)
    sort(root, foodsort)
    assert {row["id"]: row["path"] for row in rows(root)} == before
    assert {row["attempts"] for row in rows(root)} == {2}


def test_a_copy_in_the_inbox_and_a_new_photo_at_the_place_are_photos_of_their_own(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    sort(root, foodsort)
    shutil.copy2(root / "food/a.jpg", root / "inbox/a.jpg")
    os.link(root / "food/a.jpg", root / "inbox/linked.jpg")
    sort(root, foodsort)
    assert rows(root)[0]["path"] == "food/a.jpg"
    assert {row["path"] for row in rows(root)} == {"food/a.jpg", "food/a (2).jpg", "food/linked.jpg"}


def test_by_way_of_another_filesystem(root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    sort(root, foodsort)
    shutil.move(root / "food/a.jpg", elsewhere / "a.jpg")
    shutil.move(elsewhere / "a.jpg", root / "inbox/a.jpg")
    sort(root, foodsort)
    (row,) = rows(root)
    assert (row["path"], row["attempts"]) == ("food/a.jpg", 2)


def test_from_another_filesystem(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__FOOD", str(elsewhere / "food"))
    (root / "inbox/a.jpg").write_bytes(photo())
    sort(root, foodsort)
    shutil.move(elsewhere / "food/a.jpg", root / "inbox/a.jpg")
    sort(root, foodsort)
    (row,) = rows(root)
    assert (row["path"], row["attempts"]) == (f"{elsewhere}/food/a.jpg", 2)
    (elsewhere / "food/a.jpg").unlink()
    (root / "inbox/a.jpg").write_bytes(photo())  # the same bytes again, but a new file
    sort(root, foodsort)
    assert len(rows(root)) == 2
