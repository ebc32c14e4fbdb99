import numpy as np
import pytest
from PIL import Image

from models.engines.tensorflow import load_tensorflow
from models.images.decode import Pixels
from training.fitting.augment import augmenter


@pytest.fixture(scope="module")
def disc() -> Pixels:
    """A red disc on blue, 32 times: uint8 (32, 64, 64, 3)."""
    y, x = np.mgrid[:64, :64]
    inside = (y - 32) ** 2 + (x - 32) ** 2 < 18**2
    picture = np.where(inside[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
    return np.repeat(picture[None], 32, axis=0)


def test_changes_are_mild(disc: Pixels) -> None:
    load_tensorflow()
    changed = augmenter(1)(disc)
    assert len({picture.tobytes() for picture in changed}) == len(disc)
    for picture in changed:
        small = np.asarray(Image.fromarray(picture).resize((8, 8))).astype(int)
        red = small[..., 0] > small[..., 2]
        assert 0.1 < red.mean() < 0.95  # the disc is there, and its surroundings
        assert not red[[0, 0, 7, 7], [0, 7, 0, 7]].all()


def test_brightness_sharpness_and_size_all_vary(disc: Pixels) -> None:
    load_tensorflow()
    changed = augmenter(2)(disc).astype(float)
    assert np.std([picture.mean() for picture in changed]) > 5
    assert np.std([np.abs(np.diff(picture, axis=0)).max() for picture in changed]) > 5
    assert np.std([(picture[..., 0] > picture[..., 2]).mean() for picture in changed]) > 0.02
