import numpy as np
import pandas as pd
import pytest

from models.decision import Floats
from tests.training.conftest import Bundled
from training.evaluation.predictions import Judged

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = [1, 0, 1, 0, 1]


def run(bundled: Bundled, p_food: Floats) -> Judged:
    photos = pd.DataFrame(
        {
            "path": [f"/data/{name}.jpg" for name in "abcde"],
            "label": LABELS,
            "split": "validation",
            "source": ["web", "web", "", "web\n<b>", "web"],
        }
    )
    return Judged(bundled(), "scripted", photos, np.log(p_food / (1 - p_food)).astype(np.float32), [])


@pytest.fixture
def judged(bundled: Bundled) -> Judged:
    """Of five photos the second and third get the wrong label."""
    return run(bundled, P_FOOD)


@pytest.fixture
def better(bundled: Bundled) -> Judged:
    """Of the same photos only the third gets the wrong label."""
    return run(bundled, np.array([0.9, 0.1, 0.4, 0.3, 0.6]))
