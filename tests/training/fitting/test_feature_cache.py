from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from rich.progress import Progress

from models.errors import FoodsortError
from models.images.decode import Fit, Pixels
from training.fitting.checkpoint import Checkpoint
from training.fitting.feature_cache import FeatureCache, decode_split
from training.fitting.recipe import Recipe
from training.fitting.views import MIRROR, ORIGINAL, View

pytestmark = pytest.mark.slow

FIT = Fit(8)
RECIPE = Recipe(fit=FIT, batch=3)


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """Ten grey photos whose level is ten times their number; the fourth is not an image."""
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        Image.new("L", (9, 7), 10 * number).save(path)
    paths[3].write_text("no picture")
    return pd.DataFrame(
        {"path": [str(path) for path in paths], "label": [0, 1] * 5, "split": "training", "source": "", "data_set": 0}
    )


def left_half(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Mean of the left half of each photo, (n, 1)."""
    return np.asarray(pixels[:, :, :4].mean(axis=(1, 2, 3))[:, None], np.float32)


def test_photos_are_decoded_once_and_unreadable_ones_are_remembered(frame: pd.DataFrame, tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        for _ in range(2):
            photos = decode_split(frame, FIT, Checkpoint(tmp_path / "out", {}), progress)
            assert photos.pixels[:, 0, 0, 0].tolist() == [0, 10, 20, 40, 50, 60, 70, 80, 90]
            assert photos.labels.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 1]
            assert [(one.path, one.kind) for one in photos.unreadable] == [(frame["path"][3], "not_an_image")]
            for path in frame["path"]:
                Path(path).unlink(missing_ok=True)


def test_a_split_without_a_readable_photo_is_an_error(frame: pd.DataFrame, tmp_path: Path) -> None:
    with Progress(disable=True) as progress, pytest.raises(FoodsortError, match="no training photo could be read"):
        decode_split(frame[3:4], FIT, Checkpoint(tmp_path / "out", {}), progress)


def test_each_view_is_computed_once(frame: pd.DataFrame, tmp_path: Path) -> None:
    for path in frame["path"]:
        image = Image.new("L", (8, 8), 200)
        image.paste(20, (0, 0, 4, 8))
        image.save(path)
    calls: list[int] = []

    def run(pixels: Pixels) -> npt.NDArray[np.float32]:
        calls.append(len(pixels))
        return left_half(pixels)

    checkpoint = Checkpoint(tmp_path / "out", {})
    with Progress(disable=True) as progress:
        photos = decode_split(frame, FIT, checkpoint, progress)
        for _ in range(2):
            plain = FeatureCache("half", run, np.float16, RECIPE, checkpoint).view(photos, ORIGINAL, progress)
            mirrored = FeatureCache("single", run, np.float32, RECIPE, checkpoint).view(photos, MIRROR, progress)
            half = FeatureCache("single", run, np.float32, RECIPE, checkpoint).view(photos, View("grey", 0.5), progress)
        assert progress.finished
    assert calls == [3, 3, 3, 1] * 2 + [3, 2]
    assert [str(plain.values.dtype), str(mirrored.values.dtype)] == ["float16", "float32"]
    assert plain.values.shape == (10, 1)
    assert plain.values[:, 0].tolist() == [20] * 10
    assert mirrored.values[:, 0].tolist() == [200] * 10
    assert len(half.values) == len(half.labels) == 5
    assert half.labels.tolist() == photos.labels[View("grey", 0.5).rows(10, RECIPE.seed)].tolist()
