"""Moves by hand on filesystems of many kinds; on some, inodes do not last, and no event tells of a change elsewhere."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo, running, until
from tests.daemon.processes import run_command
from tests.daemon.rows import rows, select, states
from tests.programs.mounts import KINDS, Kind, Unavailable, own_namespace

pytestmark = [pytest.mark.slow, pytest.mark.system]


@pytest.fixture(scope="module")
def namespace() -> Iterator[None]:
    """Mounts of this module's own."""
    try:
        with own_namespace():
            yield
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def folders(kind: Kind, namespace: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A filesystem of each kind with the folders of the labels."""
    try:
        with kind.mounted(tmp_path / "filesystem") as point:
            for name in ("food", "non_food"):
                monkeypatch.setenv(f"FOODSORT_FOLDERS__{name.upper()}", str(point / name))
            yield point
    except Unavailable as reason:
        pytest.skip(str(reason))


def reviews(root: Path) -> dict[int, list[str]]:
    labels: dict[int, list[str]] = {}
    for row in select(root, "SELECT photo_id, label FROM reviews ORDER BY id"):
        labels.setdefault(row["photo_id"], []).append(row["label"])
    return labels


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_moves(root: Path, folders: Path, photo: Photo) -> None:
    for number in range(6):
        data = photo("food" if number % 2 else "non_food", number)
        path = root / "inbox" / ("trip" if number > 3 else "") / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
    assert run_command("run", "--root", root, "--once").returncode == 0
    ids = {row["name"]: row["id"] for row in rows(root)}
    food, non_food = folders / "food", folders / "non_food"
    with running(root):
        (non_food / "0.jpg").rename(food / "0.jpg")
        (food / "1.jpg").rename(food / "renamed.jpg")
        shutil.copyfile(non_food / "2.jpg", food / "2.jpg")
        (non_food / "2.jpg").unlink()
        (food / "3.jpg").unlink()
        (non_food / "trip").rename(food / "other trip")
        expected = {f"{food}/{name}": "filed" for name in ("0.jpg", "renamed.jpg", "2.jpg", "other trip/4.jpg")}
        expected |= {f"{food}/3.jpg": "missing", f"{food}/trip/5.jpg": "filed"}
        until(lambda: states(root) == expected)
    assert reviews(root) == {ids[name]: ["food"] for name in ("0.jpg", "2.jpg", "4.jpg")}
    (food / "other trip/4.jpg").rename(non_food / "4.jpg")
    assert run_command("run", "--root", root, "--once").returncode == 0
    assert reviews(root)[ids["4.jpg"]] == ["food", "non_food"]
    assert len(rows(root)) == 6
    repair = run_command("repair", "--root", root, "--dry-run")
    assert repair.stdout.startswith("would be: 0 added, 0 missing, 0 merged, 0 moved, 0 changed"), repair
