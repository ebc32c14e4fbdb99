"""The head of the network: compares the features of a photo with those of training photos."""

from typing import TYPE_CHECKING, Any

from models.imagenet import FOOD, OTHER

if TYPE_CHECKING:
    import keras

FOODS = "foods"
OTHERS = "others"
COMPARED = "compared"
LIKENESS = "likeness"
LOGIT = "logit"
LAYERS = (
    "unit",
    FOODS,
    OTHERS,
    "foods_list",
    "others_list",
    "food",
    "other",
    "evidence",
    "squared",
    COMPARED,
    LIKENESS,
    LOGIT,
)
"""Names of the head's layers. They always compute in float32: a float16 logit is too coarse for the temperature and the
thresholds, and a likeness is the exponential of a difference of nearly equal numbers."""


def attach(features: Any, centres: int) -> Any:
    """Attaches a head with random weights: a machine with Gaussian kernels.

    The head compares the direction u of the features, (n, d), and the evidence e, (n, 1). The evidence is the largest
    ImageNet logit of a food class minus the largest of the other classes. Through it the head knows 45 kinds of food
    that a small data set may lack. A likeness is exp(−γ ‖x − c‖²) of such a pair x = (u, e) and a centre c, a support
    vector. As u has length 1, this equals exp(2γ x·c − γ e² − γ (1 + ‖c‖²)): a dense layer over u, e and e² computes
    it.

    Args:
        features: A Keras tensor (n, d).
        centres: Number of kernels.

    Returns:
        A Keras tensor, float32 logit (n, 1).
    """
    import keras

    layers = keras.layers
    unit = layers.UnitNormalization(name="unit", dtype="float32")(features)
    maxima = []
    for logits_name, column_name, maximum_name, count in (
        (FOODS, "foods_list", "food", len(FOOD)),
        (OTHERS, "others_list", "other", len(OTHER)),
    ):
        logits = layers.Dense(count, name=logits_name, dtype="float32")(features)
        column = layers.Reshape((count, 1), name=column_name, dtype="float32")(logits)
        maxima.append(layers.GlobalMaxPooling1D(name=maximum_name, dtype="float32")(column))
    evidence = layers.Subtract(name="evidence", dtype="float32")(maxima)
    squared = layers.Multiply(name="squared", dtype="float32")([evidence, evidence])
    compared = layers.Concatenate(name=COMPARED, dtype="float32")([unit, evidence, squared])
    return kernel_machine(compared, centres)


def kernel_machine(compared: Any, centres: int) -> Any:
    """Attaches the end of the head: (n, d + 2) → float32 logit (n, 1), with random weights."""
    import keras

    likeness = keras.layers.Dense(centres, "exponential", name=LIKENESS, dtype="float32")(compared)
    return keras.layers.Dense(1, name=LOGIT, dtype="float32")(likeness)


def submodel(network: "keras.Model", start: str, end: str) -> "keras.Model":
    """Returns the layers of a network after `start` up to and including `end`; the weights are shared."""
    import keras

    return keras.Model(network.get_layer(start).output, network.get_layer(end).output)
