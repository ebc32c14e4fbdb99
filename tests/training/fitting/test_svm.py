from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.svm import SVC

from models import head
from models.engines.tensorflow import load_tensorflow
from training.fitting import svm
from training.fitting.recipe import Recipe

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = Recipe(gamma=1.5, slack=3.0, evidence=0.2)


@pytest.fixture(scope="module")
def features() -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).gamma(1.0, 1.0, (200, 16)).astype(np.float32)


def network() -> Any:
    """A head on 16 features."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    features = keras.Input((16,), name="features")
    return keras.Model(features, head.attach(features, 1))


def test_the_head_equals_the_support_vector_machine(features: npt.NDArray[np.float32]) -> None:
    inputs = np.asarray(head.submodel(network(), "features", head.COMPARED)(features))
    np.testing.assert_allclose(np.linalg.norm(inputs[:, :16], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(inputs[:, 17], inputs[:, 16] ** 2, rtol=1e-5)
    labels = (inputs[:, 3] + 0.02 * inputs[:, 16] > np.median(inputs[:, 3])).astype(np.int64)
    svm_head = svm.fit(inputs[:150], labels[:150], RECIPE)
    reference = SVC(C=3.0, gamma=1.5)
    scaled = np.c_[inputs[:, :16], 0.2 * inputs[:, 16]]
    reference.fit(scaled[:150], labels[:150])
    logits = np.asarray(svm_head.attach_to(network())(features))[:, 0]
    np.testing.assert_allclose(logits, reference.decision_function(scaled), atol=1e-4)
    assert ((logits > 0) == (labels == 1))[150:].mean() > 0.8


def test_evidence_is_the_best_food_class_against_the_best_other_one(features: npt.NDArray[np.float32]) -> None:
    model = network()
    foods, others = (np.asarray(head.submodel(model, "features", name)(features)) for name in (head.FOODS, head.OTHERS))
    assert (foods.shape[1], others.shape[1]) == (45, 955)
    inputs = np.asarray(head.submodel(model, "features", head.COMPARED)(features))
    np.testing.assert_allclose(inputs[:, 16], foods.max(axis=1) - others.max(axis=1), rtol=1e-4, atol=1e-5)
