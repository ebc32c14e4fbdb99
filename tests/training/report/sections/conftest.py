import numpy as np
import pandas as pd
import pytest

from models.decision import Floats
from tests.training.conftest import Bundled
from training.evaluation.predictions import Predictions

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = [1, 0, 1, 0, 1]


def make_predictions(bundled: Bundled, p_food: Floats) -> Predictions:
    photos = pd.DataFrame(
        {
            "path": [f"/data/{name}.jpg" for name in "abcde"],
            "label": LABELS,
            "split": "validation",
            "source": ["web", "web", "", "web\n<b>", "web"],
        }
    )
    return Predictions(
        bundled(), "scripted", photos, np.log(p_food / (1 - p_food)).astype(np.float32), np.full(len(photos), 64), []
    )


@pytest.fixture
def predictions(bundled: Bundled) -> Predictions:
    """Five photos, of which the second and third get the wrong label."""
    return make_predictions(bundled, P_FOOD)


@pytest.fixture
def better(bundled: Bundled) -> Predictions:
    """The same photos, of which only the third gets the wrong label."""
    return make_predictions(bundled, np.array([0.9, 0.1, 0.4, 0.3, 0.6]))
