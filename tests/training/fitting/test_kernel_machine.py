import numpy as np
import numpy.typing as npt
import pytest
from sklearn.svm import SVC

from training.fitting import kernel_machine
from training.fitting.recipe import Recipe

RECIPE = Recipe(gamma=1.5, slack=3.0, evidence=0.2, components=16)

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def compared() -> Floats:
    """Directions of 16 features of 400 photos, and their evidence."""
    random = np.random.default_rng(1)
    features = random.gamma(1.0, 1.0, (400, 16))
    evidence = random.normal(0, 3, (400, 1))
    return np.concatenate(
        [features / np.linalg.norm(features, axis=1, keepdims=True), evidence], axis=1, dtype=np.float32
    )


@pytest.fixture(scope="module")
def labels(compared: Floats) -> Labels:
    values = compared[:, 3] + 0.02 * compared[:, 16]
    return np.asarray(values > np.median(values), np.int64)


def test_with_all_components_the_head_equals_the_support_vector_machine(compared: Floats, labels: Labels) -> None:
    projection = kernel_machine.principal_components(compared, RECIPE)
    head = kernel_machine.fit(compared[:300], labels[:300], RECIPE, projection)
    reference = SVC(C=3.0, gamma=1.5)
    scaled = np.c_[compared[:, :16], 0.2 * compared[:, 16]]
    reference.fit(scaled[:300], labels[:300])
    np.testing.assert_allclose(head.logits(compared), reference.decision_function(scaled), atol=0.02)  # float16 arrays
    assert ((head.logits(compared) > 0) == (labels == 1))[300:].mean() > 0.85


def test_components_are_the_directions_of_the_largest_variance(compared: Floats) -> None:
    varied = compared.copy()
    varied[:, 5] = np.random.default_rng(2).normal(0, 10, len(varied))
    projection = kernel_machine.principal_components(varied, Recipe(components=1, evidence=0.5))
    assert projection.components.shape == (17, 2)
    assert abs(projection.components[5, 0]) > 0.99
    assert projection.components[16].tolist() == [0.0, 0.5]
    positions = varied @ projection.components + projection.offset
    assert abs(positions[:, 0].mean()) < 0.01
    np.testing.assert_allclose(positions[:, 1], 0.5 * varied[:, 16], rtol=1e-6)


def test_beyond_the_limit_a_map_of_the_kernels_replaces_the_machine(compared: Floats, labels: Labels) -> None:
    projection = kernel_machine.principal_components(compared, RECIPE)
    recipe = Recipe(gamma=1.5, slack=100.0, evidence=0.2, components=16, exact_limit=299, landmarks=80)
    mapped = kernel_machine.fit(compared[:300], labels[:300], recipe, projection)
    assert len(mapped.centres) == 80
    assert ((mapped.logits(compared) > 0) == (labels == 1))[300:].mean() > 0.85


def test_photos_of_more_weight_count_more(compared: Floats, labels: Labels) -> None:
    projection = kernel_machine.principal_components(compared, RECIPE)
    flipped = labels.copy()
    flipped[:100] = 1 - flipped[:100]
    light = np.where(np.arange(400) < 100, 0.01, 1.0)
    head = kernel_machine.fit(compared, flipped, RECIPE, projection, light)
    assert ((head.logits(compared[:100]) > 0) == (labels[:100] == 1)).mean() > 0.85
