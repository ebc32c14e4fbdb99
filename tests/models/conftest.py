from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines.tensorflow import load_tensorflow
from models.images import Pixels

Random = Callable[..., Pixels]


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    """The bundle that comes with foodsort."""
    return Bundle.load()


@pytest.fixture(scope="session")
def network(shipped: Bundle) -> Any:
    """Its Keras network."""
    load_tensorflow()
    return shipped.network()


@pytest.fixture
def pixels() -> Random:
    """Random pictures: uint8 (n, side, side, 3)."""

    def make(photos: int, side: int = 224) -> Pixels:
        # Smooth, as photos are: the network's answer to plain noise is far outside what it was trained on.
        coarse = np.random.default_rng(photos).integers(0, 256, (photos, side // 32, side // 32, 3), dtype=np.uint8)
        return coarse.repeat(32, axis=1).repeat(32, axis=2)

    return make
