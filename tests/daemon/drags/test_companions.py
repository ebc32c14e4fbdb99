"""Companions of photos that a person moves by hand."""

import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.rows import rows, select

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with the sorted photo non_food/b.jpg and its companions b.xmp and b.jpg.json."""
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    (root / "inbox/b.xmp").write_text("rating")
    (root / "inbox/b.jpg.json").write_text("{}")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert companions(root) == {"non_food/b.xmp", "non_food/b.jpg.json"}
    return root


def companions(root: Path) -> set[str]:
    """The places of companions; all are filed."""
    found = select(root, "SELECT path, state FROM companions")
    return {row["path"] for row in found if row["state"] == "filed"}


def test_those_that_were_left_behind_follow(sorted_root: Path, photo: Photo) -> None:
    root = sorted_root
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/dinner.jpg")
        until(lambda: companions(root) == {"food/dinner.xmp", "food/dinner.jpg.json"}, patience_s=5)
    assert tree(root) == {
        "food/dinner.jpg": photo("non_food"),
        "food/dinner.xmp": b"rating",
        "food/dinner.jpg.json": b"{}",
    }


@pytest.mark.parametrize("move", [Path.rename, shutil.copy], ids=["renamed", "copied"])
def test_those_that_were_moved_along_keep_their_rows(sorted_root: Path, photo: Photo, move: object) -> None:
    root = sorted_root
    assert callable(move)
    with running(root):
        for name in ("b.xmp", "b.jpg.json", "b.jpg"):
            move(root / "non_food" / name, root / "food" / name)
            (root / "non_food" / name).unlink(missing_ok=True)
        until(lambda: companions(root) == {"food/b.xmp", "food/b.jpg.json"}, patience_s=5)
    assert rows(root)[0]["label"] == "food"
    assert tree(root) == {"food/b.jpg": photo("non_food"), "food/b.xmp": b"rating", "food/b.jpg.json": b"{}"}


def test_one_of_them_under_the_new_name_of_its_photo(sorted_root: Path) -> None:
    root = sorted_root
    with running(root):
        (root / "non_food/b.xmp").rename(root / "food/b (2).xmp")
        (root / "non_food/b.jpg").rename(root / "food/b (2).jpg")
        until(lambda: companions(root) == {"food/b (2).xmp", "food/b (2).jpg.json"}, patience_s=5)


def test_nothing_in_the_way_is_overwritten(sorted_root: Path) -> None:
    root = sorted_root
    (root / "food/b.xmp").write_text("of another photo")
    with running(root):
        (root / "non_food/b.jpg").rename(root / "food/b.jpg")
        until(lambda: companions(root) == {"food/b (2).xmp", "food/b.jpg.json"}, patience_s=5)
    assert (root / "food/b.xmp").read_text() == "of another photo"
    assert (root / "food/b (2).xmp").read_text() == "rating"
