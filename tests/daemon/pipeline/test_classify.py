"""A model with a small look: which look decided is in the rows, and the second look is taken only where it pays."""

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from daemon.pipeline import loaded_model
from daemon.settings import Settings
from models.bundle import Bundle
from models.cascade import Cascade
from models.engines.scripted import ScriptedEngine
from models.errors import BundleError
from models.images.decode import Pixels
from tests.daemon.conftest import Foodsort
from tests.daemon.rows import select

pytestmark = pytest.mark.slow

SIDE = 224


@pytest.fixture
def cascaded(root: Path) -> Path:
    """A root whose bundle looks at 128 px first, and again below a logit of 3."""
    shipped = Bundle.load()
    folder = root / "models/two"
    shutil.copytree(shipped.folder, folder, ignore=shutil.ignore_patterns("__*"))
    Bundle.write(folder, Bundle.load(folder).card.model_copy(update={"cascade": Cascade(side=128, margin=3.0)}))
    (root / "foodsort.toml").write_text('[model]\nbundle = "models/two"\n')
    return root


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Number and side of the pictures of each run of the network."""
    runs: list[tuple[int, int]] = []
    logits = ScriptedEngine.logits

    def noted(self: ScriptedEngine, pixels: Pixels) -> object:
        runs.append(pixels.shape[:2])
        return logits(self, pixels)

    monkeypatch.setattr(ScriptedEngine, "logits", noted)
    return runs


def drop(root: Path, **reds: int) -> None:
    """Drops pictures of one colour; the scripted engine's logit is (red − 100) ÷ 8."""
    for name, red in reds.items():
        file = io.BytesIO()
        Image.new("RGB", (300, 300), (red, 50, 100)).save(file, "PNG")
        (root / f"inbox/{name}.png").write_bytes(file.getvalue())


def test_only_photos_near_the_boundary_are_looked_at_twice(
    cascaded: Path, foodsort: Foodsort, sides: list[tuple[int, int]]
) -> None:
    drop(cascaded, food=200, other=10, near=110)
    code, _, err = foodsort("run", "--root", cascaded, "--once")
    assert code == 0, err
    rows = select(cascaded, "SELECT name, look, label FROM results ORDER BY name")
    assert [tuple(row.values()) for row in rows] == [
        ("food.png", 128, "food"),
        ("near.png", 224, "food"),
        ("other.png", 128, "non_food"),
    ]
    assert sum(count for count, side in sides if side == 128) == 3
    assert sum(count for count, side in sides if side == 224) == 1


def test_a_copy_keeps_the_look_of_its_original(
    cascaded: Path, foodsort: Foodsort, sides: list[tuple[int, int]]
) -> None:
    drop(cascaded, first=200)
    foodsort("run", "--root", cascaded, "--once")
    drop(cascaded, second=200)
    sides.clear()
    foodsort("run", "--root", cascaded, "--once")
    assert [row["look"] for row in select(cascaded, "SELECT look FROM results ORDER BY id")] == [128, 128]
    assert sides == []


def test_the_setting_turns_the_small_look_off(cascaded: Path, foodsort: Foodsort, sides: list[tuple[int, int]]) -> None:
    (cascaded / "foodsort.toml").write_text('[model]\nbundle = "models/two"\ncascade = false\n')
    drop(cascaded, food=200)
    foodsort("run", "--root", cascaded, "--once")
    assert {side for _, side in sides} == {SIDE}
    (row,) = select(cascaded, "SELECT look FROM results")
    assert row["look"] == SIDE


def test_a_demand_for_a_small_look_that_the_bundle_does_not_have_is_an_error(root: Path, tmp_path: Path) -> None:
    shipped = Bundle.load()
    folder = tmp_path / "one"
    shutil.copytree(shipped.folder, folder, ignore=shutil.ignore_patterns("__*"))
    Bundle.write(folder, Bundle.load(folder).card.model_copy(update={"cascade": None}))
    settings = Settings.model_validate({"model": {"bundle": str(folder), "cascade": True}})
    with pytest.raises(BundleError, match=r"has no cascade; set model\.cascade to auto"):
        loaded_model.load(root, settings)


def test_classify_looks_twice_too(cascaded: Path, foodsort: Foodsort, sides: list[tuple[int, int]]) -> None:
    drop(cascaded, near=110)
    bundle = cascaded / "models/two"
    code, out, err = foodsort(
        "classify", "--model", bundle, "--engine", "scripted", "--format", "json", cascaded / "inbox"
    )
    assert code == 0, err
    assert json.loads(out.splitlines()[0])["label"] == "food"
    assert [side for _, side in sides] == [128, SIDE]
