"""The daemon is killed at each failpoint; after the next start the result is always the same."""

import json
import os
from pathlib import Path

import pytest

from daemon.failpoints import POINTS
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.processes import kill_run_at
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow

MTIME_NS = 10**18 + 7
FOOD, OTHERS, DAMAGED = 6, 3, 3


@pytest.fixture
def root(root: Path, each_database: None) -> Path:
    """A root whose results are recorded in a database of each kind."""
    return root


@pytest.fixture
def elsewhere(root: Path, elsewhere: Path) -> Path:
    """A folder for non_food photos on another filesystem, so that they are copied."""
    (root / "foodsort.toml").write_text(f'[folders]\nnon_food = "{elsewhere}"\n')
    return elsewhere


def drop(root: Path, photo: Photo) -> dict[str, bytes]:
    """Puts photos for every destination into the inbox; returns the place and bytes of each."""
    food = {f"food/trip/{shade}.jpg": photo("food", shade) for shade in range(FOOD)}
    others = {f"non_food/trip/{shade}.jpg": photo("non_food", shade) for shade in range(10, 10 + OTHERS)}
    damaged = {f"failed/trip/{number}.jpg": b"no picture %d" % number for number in range(20, 20 + DAMAGED)}
    (root / "inbox/trip").mkdir()
    for place, data in (food | others | damaged).items():
        path = root / "inbox/trip" / Path(place).name
        path.write_bytes(data)
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return food | others | damaged


def photos_in(root: Path, elsewhere: Path) -> dict[str, bytes]:
    """Path and bytes of all photos, without sidecars; the folder on the other filesystem counts as root/non_food."""
    local = {name: data for name, data in tree(root).items() if name != "foodsort.toml"}
    remote = {f"non_food/{name}": data for name, data in tree(elsewhere).items()}
    sidecars = [name for name in local if name.endswith(".error.json")]
    assert len(sidecars) == DAMAGED
    return {name: data for name, data in (local | remote).items() if name not in sidecars}


def check(root: Path, elsewhere: Path, expected: dict[str, bytes]) -> None:
    """Checks that each photo is unchanged, at exactly one place, with exactly one row."""
    assert photos_in(root, elsewhere) == expected
    places = [root / name for name in expected if not name.startswith("non_food/")]
    assert {path.stat().st_mtime_ns for path in (*places, *elsewhere.rglob("*.jpg"))} == {MTIME_NS}
    stored = {row["path"].replace(str(elsewhere), "non_food"): row["state"] for row in rows(root)}
    assert stored == {name: "failed" if name.startswith("failed/") else "filed" for name in expected}
    assert len(rows(root)) == len(expected)
    assert list((root / "inbox").rglob("*.jpg")) == []


# Failpoints that each photo passes: a later count is in the middle of a batch.
LATER = {"claimed": 7, "explained": 2, "copied": 2, "named": 2, "moved": 5}


# Failpoints with tests of their own.
OTHER_TESTS = {
    "given_back",
    "mended",
    "begun",
    "taken",
    "unexplained",
    "arrived",
    "dragging",
    "dragged",
    "judged",
    "reclassified",
    "learning",
    "learned",
    "listed",
    "promoting",
    "promoted",
    "taking_back",
    "taken_back",
    "salvaged",
    "log_aside",
    "repairing",
    "linked",
    "placeholder",
}
ONCE = [point for point in POINTS if point not in OTHER_TESTS]


@pytest.mark.parametrize("point", [*ONCE, *(f"{point}:{number}" for point, number in LATER.items())])
def test_a_crash_at_any_point_loses_and_duplicates_no_photo(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    expected = drop(root, photo)
    kill_run_at(root, point)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    check(root, elsewhere, expected)


@pytest.mark.parametrize("point", [point for point in ONCE if point not in {"explained", "copied", "named"}])
def test_a_crash_at_any_point_recovers_a_single_photo(root: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    kill_run_at(root, point)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert tree(root) == {"food/a.jpg": photo()}
    assert [(row["path"], row["state"]) for row in rows(root)] == [("food/a.jpg", "filed")]


@pytest.mark.parametrize("first", ["recorded", "moved:5", "named:2"])
def test_a_crash_during_recovery_is_recovered(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, first: str
) -> None:
    expected = drop(root, photo)
    kill_run_at(root, first)
    kill_run_at(root, "moved")
    kill_run_at(root, "mended")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    check(root, elsewhere, expected)


def test_a_crash_while_a_photo_is_returned_is_recovered(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "60")  # longer than a start takes
    expected = drop(root, photo)
    (root / "inbox/trip/20.jpg").write_bytes(photo(size=512)[:3000])  # truncated, so it goes back to the inbox
    kill_run_at(root, "given_back")
    (root / "inbox/trip/20.jpg").write_bytes(expected["failed/trip/20.jpg"])
    os.utime(root / "inbox/trip/20.jpg", ns=(MTIME_NS, MTIME_NS))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    check(root, elsewhere, expected)


def test_a_crash_does_not_count_as_an_attempt(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, photo)
    for _ in range(4):
        kill_run_at(root, "classified")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    sidecars = [json.loads(path.read_text()) for path in (root / "failed/trip").glob("*.error.json")]
    assert [sidecar["attempts"] for sidecar in sidecars] == [1] * DAMAGED


def test_settings_changed_after_a_crash_decide_the_destination(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    expected = drop(root, photo)
    kill_run_at(root, "recorded")
    (root / "foodsort.toml").write_text('[folders]\nfood = "dishes"\n')
    assert foodsort("run", "--root", root, "--once")[0] == 0
    photos = {name for name in tree(root) if not name.endswith((".error.json", ".toml"))}
    assert photos == {name.replace("food/", "dishes/") if name.startswith("food/") else name for name in expected}
    assert {row["path"] for row in rows(root)} == photos
