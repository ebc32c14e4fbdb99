import numpy as np
import numpy.typing as npt
import pytest

from models.cascade import Cascade, look, reduce
from models.images.decode import Pixels


class Network:
    """Answers with a level of a picture: at the full side with the first pixel's, at the small side with the mean."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        count, side = pixels.shape[:2]
        self.batches.append((count, side))
        levels = pixels[:, 0, 0, 0] if side == 8 else pixels.mean(axis=(1, 2, 3))
        return np.asarray(levels - 100.0, np.float32)


@pytest.fixture
def pixels() -> Pixels:
    """Three pictures whose means are 40, 90 and 160, and whose first pixels are 200."""
    made = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (40, 90, 160)])
    made[:, 0, 0] = 200
    return made


def test_photos_near_the_boundary_are_looked_at_again(pixels: Pixels) -> None:
    network = Network()
    looks = look(network, pixels, Cascade(side=4, margin=20.0))
    assert looks.sides.tolist() == [4, 8, 4]
    np.testing.assert_allclose(looks.logits, [-57.5, 100.0, 60.6], atol=0.6)
    assert network.batches == [(3, 4), (1, 8)]


def test_without_a_photo_near_the_boundary_there_is_one_look(pixels: Pixels) -> None:
    network = Network()
    assert look(network, pixels, Cascade(side=4, margin=0.0)).sides.tolist() == [4, 4, 4]
    assert network.batches == [(3, 4)]


def test_without_a_cascade_there_is_one_look_at_the_full_side(pixels: Pixels) -> None:
    network = Network()
    looks = look(network, pixels, None)
    assert (looks.sides.tolist(), looks.logits.tolist()) == ([8, 8, 8], [100.0] * 3)
    assert network.batches == [(3, 8)]


def test_a_small_picture_has_the_means_of_areas() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3) * 8
    assert reduce(picture, 2)[0, :, :, 0].tolist() == [[20, 36], [84, 100]]
