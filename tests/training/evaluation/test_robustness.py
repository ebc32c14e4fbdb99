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
from training.evaluation.predictions import predict
from training.evaluation.robustness import PERTURBATIONS, load_upright, measure, to_network_input
from training.fitting.views import to_greyscale


@pytest.fixture
def photo() -> Image.Image:
    """300 × 200 pixels of coloured noise."""
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def detail(image: Image.Image) -> float:
    """Mean difference between neighbours in a result."""
    return float(np.abs(np.diff(np.asarray(image).astype(int), axis=1)).mean())


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_every_perturbation_gives_a_changed_colour_photo(name: str, photo: Image.Image) -> None:
    before = photo.tobytes()
    after = PERTURBATIONS[name](photo)
    assert after.mode == "RGB"
    assert photo.tobytes() == before
    assert (after.size, after.tobytes()) != (photo.size, before)
    sizes = {"turned": (200, 300), "centre": (150, 100)}
    assert after.size == sizes.get(name, (300, 200))


def test_downscaling_keeps_the_detail_of_96_pixels(photo: Image.Image) -> None:
    assert detail(robustness.downscale(photo)) < detail(photo) / 3
    tiny = photo.resize((60, 40))
    assert robustness.downscale(tiny).tobytes() == tiny.tobytes()


def test_compression_is_jpeg_of_quality_20(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "20.jpg", quality=20)
    with Image.open(tmp_path / "20.jpg") as stored:
        assert robustness.compress(photo).tobytes() == stored.convert("RGB").tobytes()


def test_the_blur_is_proportional_to_the_size_of_the_photo(photo: Image.Image) -> None:
    edge = np.zeros((100, 320, 3), np.uint8)
    edge[:, 160:] = 255
    row = np.asarray(robustness.blur(Image.fromarray(edge)))[50, :, 0].astype(float)
    # Two pixels (one standard deviation) from the edge, 16 % of the step remain.
    assert row[157:159].mean() / 255 == pytest.approx(0.16, abs=0.04)
    assert detail(robustness.blur(photo)) < detail(photo) / 2


def test_greyscale_has_equal_channels() -> None:
    pixels = np.asarray(to_greyscale(Image.new("RGB", (4, 4), (200, 100, 0))))
    assert np.ptp(pixels, axis=2).max() == 0
    assert pixels[0, 0, 0] == round(0.299 * 200 + 0.587 * 100)


def test_rotation_is_by_90_degrees_to_the_left(photo: Image.Image) -> None:
    assert np.array_equal(np.asarray(robustness.rotate(photo)), np.rot90(np.asarray(photo)))


def test_darkening_lowers_each_level_by_three_tenths() -> None:
    assert robustness.darken(Image.new("RGB", (2, 2), (200, 100, 10))).getpixel((0, 0)) == (140, 70, 7)


def test_the_crop_is_the_middle(photo: Image.Image) -> None:
    assert np.array_equal(np.asarray(robustness.crop_centre(photo)), np.asarray(photo)[50:150, 75:225])
    assert robustness.crop_centre(Image.new("RGB", (1, 3))).size == (1, 2)


@pytest.mark.parametrize("fit", [Fit(side=64), Fit(side=64, mode="crop")])
def test_an_unperturbed_photo_is_the_same_as_when_decoded(photo: Image.Image, fit: Fit, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photo.save(tmp_path / "plain.png")
    photo.save(tmp_path / "turned.jpg", exif=exif)
    for name in ("plain.png", "turned.jpg"):
        pixels = to_network_input(load_upright(str(tmp_path / name), fit), fit)
        expected = decode((tmp_path / name).read_bytes(), fit).pixels
        # Rotation before or after scaling differs only by rounding.
        assert np.abs(pixels.astype(int) - expected).max() <= 2


def test_a_truncated_photo_is_an_error(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-500])
    with pytest.raises(ImageError):
        load_upright(str(tmp_path / "cut.jpg"), Fit())


def test_each_perturbation_is_measured(data: Path, bundled: Bundled) -> None:
    engine = ScriptedEngine()
    with Progress(console=Console(quiet=True)) as progress:
        predictions = predict(bundled(), engine, dataset.read(data, ("validation",)), progress)
        results = measure(predictions, engine, progress)
    assert not predictions.wrong.any()  # the scripted engine takes red for food
    assert [result.perturbation for result in results] == list(PERTURBATIONS)
    by_name = {result.perturbation: result for result in results}
    # Without colour P(food) is 0.5, which is called food: the labels of the 4 photos of non_food change.
    assert (by_name["grey"].accuracy, by_name["grey"].changed) == (0.5, 4)
    assert by_name["grey"].accuracy_ci95 == pytest.approx((0.2152, 0.7848), abs=1e-4)
    assert (by_name["turned"].accuracy, by_name["turned"].changed) == (1.0, 0)
