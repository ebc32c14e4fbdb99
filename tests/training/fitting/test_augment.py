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
    photo = np.where(inside[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
    return np.repeat(photo[None], 32, axis=0)


def test_augmentation_is_mild(disc: Pixels) -> None:
    load_tensorflow()
    augmented = augmenter(1)(disc)
    assert len({photo.tobytes() for photo in augmented}) == len(disc)
    for photo in augmented:
        small = np.asarray(Image.fromarray(photo).resize((8, 8))).astype(int)
        red = small[..., 0] > small[..., 2]
        assert 0.1 < red.mean() < 0.95  # both the disc and its surroundings are visible
        assert not red[[0, 0, 7, 7], [0, 7, 0, 7]].all()


def test_brightness_sharpness_and_size_all_vary(disc: Pixels) -> None:
    load_tensorflow()
    augmented = augmenter(2)(disc).astype(float)
    assert np.std([photo.mean() for photo in augmented]) > 5
    assert np.std([np.abs(np.diff(photo, axis=0)).max() for photo in augmented]) > 5
    assert np.std([(photo[..., 0] > photo[..., 2]).mean() for photo in augmented]) > 0.02
