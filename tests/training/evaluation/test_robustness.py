from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from models.engines.scripted import ScriptedEngine
from models.errors import ImageError
from models.images.decode import Fit, decode
from tests.training.conftest import Bundled
from training.data import dataset
from training.evaluation import robustness
from training.evaluation.predictions import judge
from training.evaluation.robustness import DISTURBANCES, fitted, measure, upright


@pytest.fixture
def photo() -> Image.Image:
    """300 × 200 pixels of coloured noise."""
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def detail(image: Image.Image) -> float:
    """Mean difference between neighbours in a row."""
    return float(np.abs(np.diff(np.asarray(image).astype(int), axis=1)).mean())


@pytest.mark.parametrize("name", DISTURBANCES)
def test_every_disturbance_leaves_a_colour_photo_and_changes_it(name: str, photo: Image.Image) -> None:
    before = photo.tobytes()
    after = DISTURBANCES[name](photo)
    assert after.mode == "RGB"
    assert photo.tobytes() == before
    assert (after.size, after.tobytes()) != (photo.size, before)
    sizes = {"turned": (200, 300), "centre": (150, 100)}
    assert after.size == sizes.get(name, (300, 200))


def test_small_keeps_what_96_pixels_hold(photo: Image.Image) -> None:
    assert detail(robustness.small(photo)) < detail(photo) / 3
    tiny = photo.resize((60, 40))
    assert robustness.small(tiny).tobytes() == tiny.tobytes()


def test_squeezed_is_a_jpeg_of_quality_20(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "20.jpg", quality=20)
    with Image.open(tmp_path / "20.jpg") as stored:
        assert robustness.squeezed(photo).tobytes() == stored.convert("RGB").tobytes()


def test_blur_is_as_wide_as_the_photo_is_large(photo: Image.Image) -> None:
    edge = np.zeros((100, 320, 3), np.uint8)
    edge[:, 160:] = 255
    row = np.asarray(robustness.blurred(Image.fromarray(edge)))[50, :, 0].astype(float)
    # Two pixels from the edge a blur of that radius (standard deviation) lets 16 % through.
    assert row[157:159].mean() / 255 == pytest.approx(0.16, abs=0.04)
    assert detail(robustness.blurred(photo)) < detail(photo) / 2


def test_grey_has_equal_channels() -> None:
    seen = np.asarray(robustness.grey(Image.new("RGB", (4, 4), (200, 100, 0))))
    assert np.ptp(seen, axis=2).max() == 0
    assert seen[0, 0, 0] == round(0.299 * 200 + 0.587 * 100)


def test_turned_is_a_quarter_to_the_left(photo: Image.Image) -> None:
    assert np.array_equal(np.asarray(robustness.turned(photo)), np.rot90(np.asarray(photo)))


def test_darker_takes_three_tenths_of_each_level() -> None:
    assert robustness.darker(Image.new("RGB", (2, 2), (200, 100, 10))).getpixel((0, 0)) == (140, 70, 7)


def test_centre_is_the_middle(photo: Image.Image) -> None:
    assert np.array_equal(np.asarray(robustness.centre(photo)), np.asarray(photo)[50:150, 75:225])
    assert robustness.centre(Image.new("RGB", (1, 3))).size == (1, 2)


@pytest.mark.parametrize("fit", [Fit(side=64), Fit(side=64, mode="crop")])
def test_an_undisturbed_photo_is_seen_as_ever(photo: Image.Image, fit: Fit, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photo.save(tmp_path / "plain.png")
    photo.save(tmp_path / "turned.jpg", exif=exif)
    for name in ("plain.png", "turned.jpg"):
        seen = fitted(upright(str(tmp_path / name), fit), fit)
        expected = decode((tmp_path / name).read_bytes(), fit).pixels
        # Turned before or after it is made smaller: the same but for rounding.
        assert np.abs(seen.astype(int) - expected).max() <= 2


def test_half_a_photo_is_an_error(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-500])
    with pytest.raises(ImageError):
        upright(str(tmp_path / "cut.jpg"), Fit())


def test_a_row_a_disturbance_is_measured(data: Path, bundled: Bundled) -> None:
    engine = ScriptedEngine()
    with Progress(console=Console(quiet=True)) as progress:
        judged = judge(bundled(), engine, dataset.read(data, ("validation",)), progress)
        rows = measure(judged, engine, progress)
    assert not judged.wrong.any()  # red is food to the scripted engine
    assert [row.disturbance for row in rows] == list(DISTURBANCES)
    by_name = {row.disturbance: row for row in rows}
    # Without colour all are at P(food) = 0.5, and so called food: of 8 photos the 4 others change.
    assert (by_name["grey"].accuracy, by_name["grey"].changed) == (0.5, 4)
    assert by_name["grey"].accuracy_ci95 == pytest.approx((0.2152, 0.7848), abs=1e-4)
    assert (by_name["turned"].accuracy, by_name["turned"].changed) == (1.0, 0)
