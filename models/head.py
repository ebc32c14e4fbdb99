"""The head: a photo's features compared with those of photos it has learned from."""

from typing import TYPE_CHECKING, Any

from models.imagenet import FOOD, OTHER

if TYPE_CHECKING:
    import keras

FOODS, OTHERS, COMPARED, LIKENESS, LOGIT = "foods", "others", "compared", "likeness", "logit"
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
"""Names of the head's layers. They are float32 whatever the rest computes in: a float16 logit is too coarse for the
temperature and the thresholds, and a likeness is the exponential of a difference of nearly equal numbers."""


def attach(features: Any, centres: int) -> Any:
    """Features (n, d) → float32 logit (n, 1), with random weights: a machine of `centres` Gaussian kernels.

    What is compared is the direction of the features, (n, d), and the evidence, (n, 1): the largest of ImageNet's own
    logits of a food class minus the largest of the others, by which 45 kinds of food are known that the photos of a
    small data set may lack. A likeness is exp(−γ ‖x − c‖²) of such a pair x to a centre c, a support vector. As the
    direction u has length 1, that is exp(2γ x·c − γ e² − γ (1 + ‖c‖²)): a dense layer over u, e and e² computes it.
    """
    import keras

    layers = keras.layers
    unit = layers.UnitNormalization(name="unit", dtype="float32")(features)
    largest = []
    for name, listed, most, count in (
        (FOODS, "foods_list", "food", len(FOOD)),
        (OTHERS, "others_list", "other", len(OTHER)),
    ):
        logits = layers.Dense(count, name=name, dtype="float32")(features)
        column = layers.Reshape((count, 1), name=listed, dtype="float32")(logits)
        largest.append(layers.GlobalMaxPooling1D(name=most, dtype="float32")(column))
    evidence = layers.Subtract(name="evidence", dtype="float32")(largest)
    squared = layers.Multiply(name="squared", dtype="float32")([evidence, evidence])
    compared = layers.Concatenate(name=COMPARED, dtype="float32")([unit, evidence, squared])
    return judge(compared, centres)


def judge(compared: Any, centres: int) -> Any:
    """The head's end, what is compared (n, d + 2) → float32 logit (n, 1), with random weights."""
    import keras

    likeness = keras.layers.Dense(centres, "exponential", name=LIKENESS, dtype="float32")(compared)
    return keras.layers.Dense(1, name=LOGIT, dtype="float32")(likeness)


def part(network: "keras.Model", start: str, end: str) -> "keras.Model":
    """The part of a network after layer `start` up to and with layer `end`; it shares their weights."""
    import keras

    return keras.Model(network.get_layer(start).output, network.get_layer(end).output)
