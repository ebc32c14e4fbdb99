"""`correct` and `undo` right after a move by hand: they let the row follow first."""

import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.rows import rows, select

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with the sorted photos food/a.jpg and non_food/b.jpg."""
    (root / "inbox/a.jpg").write_bytes(photo("food"))
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def labels(root: Path) -> list[tuple[str, str]]:
    return [(row["label"], row["source"]) for row in select(root, "SELECT label, source FROM reviews ORDER BY id")]


@pytest.mark.parametrize("named", ["food/trip/b.jpg", "non_food/b.jpg", "food/trip"])
@pytest.mark.parametrize("move", [Path.rename, shutil.copy])
def test_a_moved_photo_is_corrected_by_its_new_and_by_its_old_path(
    sorted_root: Path, foodsort: Foodsort, named: str, move: object
) -> None:
    root = sorted_root
    (root / "food/trip").mkdir()
    assert callable(move)
    move(root / "non_food/b.jpg", root / "food/trip/b.jpg")
    (root / "non_food/b.jpg").unlink(missing_ok=True)
    code, _, err = foodsort("correct", "--root", root, "--label", "non_food", root / named)
    message = "non_food/b.jpg was moved by hand to food/trip/b.jpg, which counts as the label food"
    assert (code, err) == (0, f"foodsort: {message}\n")
    assert labels(root) == [("food", "move"), ("non_food", "person")]
    assert rows(root)[1]["path"] == "non_food/b.jpg"


def test_the_label_of_a_move_is_withdrawn_and_the_photo_goes_back(
    sorted_root: Path, foodsort: Foodsort, photo: Photo
) -> None:
    root = sorted_root
    (root / "non_food/b.jpg").rename(root / "food/b.jpg")
    assert foodsort("correct", "--root", root, "--withdraw", root / "food/b.jpg")[0] == 0
    assert labels(root) == []
    assert tree(root) == {"food/a.jpg": photo("food"), "non_food/b.jpg": photo("non_food")}


@pytest.mark.parametrize("named", ["food/b.jpg", "non_food/b.jpg"])
def test_a_moved_photo_is_undone(sorted_root: Path, foodsort: Foodsort, named: str) -> None:
    root = sorted_root
    (root / "non_food/b.jpg").rename(root / "food/b.jpg")
    assert foodsort("undo", "--root", root, root / named)[0] == 0
    assert rows(root)[1]["state"] == "undone"
    assert (root / "inbox/b.jpg").exists()
    assert labels(root) == [("food", "move")]


def test_without_drags_both_paths_are_refused(
    sorted_root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__DRAGS", "false")
    root = sorted_root
    (root / "non_food/b.jpg").rename(root / "food/b.jpg")
    for name in ("food/b.jpg", "non_food/b.jpg"):
        assert foodsort("correct", "--root", root, "--label", "food", root / name)[0] == 1
    assert labels(root) == []
