import numpy as np
import numpy.typing as npt
import pytest

from models.engines.tensorflow import load_tensorflow
from training.fitting.views import MIRROR, ORIGINAL, View

pytestmark = pytest.mark.slow

ROWS = np.arange(4)


@pytest.fixture
def pixels() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def test_a_share_chooses_photos_by_the_seed() -> None:
    view = View("grey", 0.25)
    rows = view.rows(1000, 1)
    assert len(set(rows)) == 250
    assert rows.tolist() == sorted(rows) == view.rows(1000, 1).tolist()
    assert rows.tolist() != view.rows(1000, 2).tolist() != View("grey", 0.25, 1).rows(1000, 1).tolist()
    assert MIRROR.rows(3, 1).tolist() == [0, 1, 2]


def test_a_mirror_image_and_a_grey_picture(pixels: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(ORIGINAL.transform(1)(pixels, ROWS), pixels)
    np.testing.assert_array_equal(MIRROR.transform(1)(pixels, ROWS), pixels[:, :, ::-1])
    grey = View("grey").transform(1)(pixels, ROWS)
    assert (str(grey.dtype), grey.shape) == ("uint8", pixels.shape)
    assert (grey == grey[..., :1]).all()
    assert grey[0, 0, 0, 0] == round(float(pixels[0, 0, 0] @ [0.299, 0.587, 0.114]))


def test_a_part_is_at_least_half_of_each_side_and_depends_on_the_photo_not_on_the_batch() -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.float32).round().astype(np.uint8)
    across = np.broadcast_to(ramp[None, :, None], (64, 64, 3))
    photos = np.stack([across, across.swapaxes(0, 1)] * 50)
    rows = np.arange(100)
    parts = View("part").transform(1)(photos, rows)
    assert (str(parts.dtype), parts.shape) == ("uint8", photos.shape)
    spans = np.ptp(parts.reshape(100, -1).astype(int), axis=1) / 255
    assert 0.45 < spans.min() < 0.6
    assert 0.9 < spans.max() <= 1
    later = View("part").transform(1)(photos[70:], rows[70:])
    np.testing.assert_array_equal(later, parts[70:])
    assert not np.array_equal(View("part").transform(2)(photos, rows), parts)


def test_an_augmentation_depends_only_on_the_seed_and_the_number(pixels: npt.NDArray[np.uint8]) -> None:
    load_tensorflow()
    view = View("augmented", number=2)
    first = view.transform(1)(pixels, ROWS)
    assert str(first.dtype) == "uint8"
    assert first.shape == pixels.shape
    assert all((augmented != picture).mean() > 0.5 for augmented, picture in zip(first, pixels, strict=True))
    np.testing.assert_array_equal(view.transform(1)(pixels, ROWS), first)
    assert not np.array_equal(View("augmented", number=3).transform(1)(pixels, ROWS), first)
    assert not np.array_equal(view.transform(2)(pixels, ROWS), first)
