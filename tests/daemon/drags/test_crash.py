"""The daemon is killed while rows follow photos: afterwards all is as before or as after, and never counted twice."""

import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.processes import kill_run_at
from tests.daemon.rows import event_messages, rows, select, states

pytestmark = pytest.mark.slow


@pytest.fixture
def moved(root: Path, each_database: None, photo: Photo, foodsort: Foodsort) -> Path:
    """A root whose folder non_food/trip, with two photos and a companion left behind, was moved to food/ by hand."""
    (root / "inbox/trip").mkdir()
    for number in range(2):
        (root / f"inbox/trip/{number}.jpg").write_bytes(photo("non_food", number))
    (root / "inbox/trip/0.xmp").write_text("rating")
    (root / "inbox/gone.jpg").write_bytes(photo("food"))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    (root / "food/trip").mkdir()
    for number in range(2):
        shutil.move(root / f"non_food/trip/{number}.jpg", root / f"food/trip/{number}.jpg")
    (root / "food/gone.jpg").unlink()
    return root


def companions(root: Path) -> list[tuple[str, str]]:
    return [(row["path"], row["state"]) for row in select(root, "SELECT path, state FROM companions")]


@pytest.mark.parametrize("point", ["dragging", "dragged", "taken", "arrived", "dragging:2"])
def test_a_crash_at_any_point_is_made_good(moved: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    root = moved
    if point == "dragging:2":
        kill_run_at(root, "dragging")
        point = "dragging"
    kill_run_at(root, point)
    before = point == "dragging"
    assert len(event_messages(root, "dragged")) == (0 if before else 2)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    expected = {"food/trip/0.jpg": "filed", "food/trip/1.jpg": "filed", "food/gone.jpg": "missing"}
    assert states(root) == expected
    assert [row["label"] for row in rows(root) if row["state"] == "filed"] == ["food", "food"]
    labels = select(root, "SELECT photo_id, label, source FROM reviews ORDER BY photo_id")
    assert [(row["label"], row["source"]) for row in labels] == [("food", "move")] * 2
    assert len({row["photo_id"] for row in labels}) == len(event_messages(root, "dragged")) == 2
    assert companions(root) == [("food/trip/0.xmp", "filed")]
    assert tree(root) == {
        "food/trip/0.jpg": photo("non_food", 0),
        "food/trip/1.jpg": photo("non_food", 1),
        "food/trip/0.xmp": b"rating",
    }
