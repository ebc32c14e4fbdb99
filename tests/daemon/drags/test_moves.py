"""A sorted photo that a person moves by hand, beside a real daemon: the row follows, and a move between labels counts."""

import shutil
from collections.abc import Iterator
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
    return [tuple(row.values()) for row in select(root, "SELECT photo_id, label, source FROM reviews ORDER BY id")]  # type: ignore[misc]


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Iterator[Path]:
    """A root with the sorted photos food/a.jpg and non_food/b.jpg."""
    sort(root, foodsort, a=photo("food"), b=photo("non_food"))
    return root


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


def test_it_is_found_after_the_daemon_was_stopped(sorted_root: Path, foodsort: Foodsort) -> None:
    root = sorted_root
    shutil.move(root / "non_food/b.jpg", root / "food/b.jpg")
    sort(root, foodsort)
    assert states(root) == {"food/a.jpg": "filed", "food/b.jpg": "filed"}
    assert reviews(root) == [(2, "food", "move")]
