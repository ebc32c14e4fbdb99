"""The head of the network: compares the features of a photo with those of training photos."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.errors import BundleError
from models.imagenet import FOOD, OTHER

if TYPE_CHECKING:
    import keras

Floats32 = npt.NDArray[np.float32]

FOODS = "foods"
OTHERS = "others"
COMPARED = "compared"
LOGIT = "logit"
FLOAT32_LAYERS = (
    "unit",
    FOODS,
    OTHERS,
    "foods_list",
    "others_list",
    "food",
    "other",
    "evidence",
    COMPARED,
    "components",
    "square",
    "position",
    "likeness",
    LOGIT,
)
"""Names of the layers after the features; those of further heads also end in the side. They always compute in float32:
a float16 logit is too coarse for the thresholds, and a likeness is the exponential of a difference of nearly equal
numbers."""

_HALF = ("components", "centres")
"""Arrays that are stored as float16: they are large, and their rounding moves a logit by less than 0.01."""


@dataclass(frozen=True)
class Head:
    """A machine with Gaussian kernels for pictures of one side: (n, d + 1) → calibrated logit (n,).

    The logit is (Σⱼ wⱼ exp(−γ ‖z − cⱼ‖²) + b) ÷ T, where z = x · components + offset. x is what `attach_features`
    compares: the direction of the d features, and the evidence.

    Attributes:
        components: float32 (d + 1, k), the principal components of the features, and the weight of the evidence.
        offset: float32 (k,).
        centres: float32 (m, k), such as support vectors.
        gamma: γ > 0.
        weights: float32 (m,).
        bias: b.
        temperature: T > 0, which calibrates the logit (Guo et al. 2017).
    """

    components: Floats32
    offset: Floats32
    centres: Floats32
    gamma: float
    weights: Floats32
    bias: float
    temperature: float

    def project(self, compared: Floats32) -> Floats32:
        """Computes z: (n, d + 1) → float32 (n, k)."""
        return np.asarray(compared @ self.components + self.offset, np.float32)

    def logits(self, compared: Floats32) -> Floats32:
        """Computes calibrated logits: (n, d + 1) → float32 (n,)."""
        return self.logits_at(self.project(compared))

    def logits_at(self, positions: Floats32) -> Floats32:
        """Computes calibrated logits of positions z: (n, k) → float32 (n,)."""
        kernel, bias = self.kernel()
        squares = (positions**2).sum(axis=1, keepdims=True)
        likeness = np.exp(np.concatenate([positions, squares], axis=1) @ kernel + bias)
        return np.asarray((likeness @ self.weights + self.bias) / self.temperature, np.float32)

    def kernel(self) -> tuple[Floats32, Floats32]:
        """Returns the kernels as a dense layer before an exponential: weights (k + 1, m) and bias (m,).

        −γ ‖z − c‖² is 2γ z·c − γ ‖z‖² − γ ‖c‖², a linear function of z and ‖z‖².
        """
        centres = self.centres
        squares = np.full((1, len(centres)), -self.gamma)
        weights = np.concatenate([2 * self.gamma * centres.T, squares])
        return weights.astype(np.float32), np.asarray(-self.gamma * (centres**2).sum(axis=1), np.float32)

    def output(self) -> tuple[Floats32, Floats32]:
        """Returns the last dense layer: weights (m, 1) and bias (1,)."""
        weights = np.asarray(self.weights[:, None] / self.temperature, np.float32)
        return weights, np.array([self.bias / self.temperature], np.float32)

    def rounded(self) -> "Head":
        """Returns the head as it is after it was saved and loaded."""
        return Head(**{field.name: _stored(field.name, getattr(self, field.name)) for field in fields(self)})


def save_heads(path: Path, heads: Mapping[int, Head]) -> None:
    """Writes heads by their sides (pixels) to a file of arrays, `.npz`."""
    arrays: dict[str, Any] = {}
    for side, head in heads.items():
        for field in fields(head):
            value = np.asarray(getattr(head, field.name))
            arrays[f"{side}.{field.name}"] = value.astype(np.float16) if field.name in _HALF else value
    with path.open("wb") as file:
        np.savez(file, **arrays)


def load_heads(path: Path) -> dict[int, Head]:
    """Reads heads by their sides (pixels), in the order in which they were saved.

    Raises:
        BundleError: The file does not hold heads.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            sides = dict.fromkeys(int(name.partition(".")[0]) for name in arrays.files)
            return {
                side: Head(**{f.name: _stored(f.name, arrays[f"{side}.{f.name}"]) for f in fields(Head)})
                for side in sides
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} does not hold the heads of a model ({error}); train the bundle again") from error


def _stored(name: str, value: Any) -> Any:
    array = np.asarray(value)
    if not array.ndim:
        return float(array)
    return np.asarray(array.astype(np.float16) if name in _HALF else array, np.float32)


def attach_features(features: Any) -> Any:
    """Attaches what heads compare: the direction u of the features, (n, d), and the evidence e, (n, 1).

    The evidence is the largest ImageNet logit of a food class minus the largest of the other classes. Through it a head
    knows 45 kinds of food that a small data set may lack.

    Args:
        features: A Keras tensor (n, d).

    Returns:
        A Keras tensor, float32 (n, d + 1).
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
    return layers.Concatenate(name=COMPARED, dtype="float32")([unit, evidence])


def attach_heads(network: "keras.Model", *models: Mapping[int, Head]) -> "keras.Model":
    """Attaches heads to a network without one; the layers below are shared.

    Args:
        network: uint8 pixels → what heads compare, (n, d + 1); the output of a layer COMPARED.
        models: The heads of each model by side; the layers of the first one's first have plain names.

    Returns:
        A network with an output float32 (n, number of heads), a logit of each head.
    """
    import keras

    compared = network.get_layer(COMPARED).output
    named = {
        (f"_{side}" if index else "") + (f"_{number}" if number else ""): head
        for number, heads in enumerate(models)
        for index, (side, head) in enumerate(heads.items())
    }
    logits = [_attach(compared, head, suffix) for suffix, head in named.items()]
    output = logits[0] if len(logits) == 1 else keras.layers.Concatenate(name="logits", dtype="float32")(logits)
    complete = keras.Model(network.input, output, name=network.name)
    for suffix, head in named.items():
        complete.get_layer(f"components{suffix}").set_weights([head.components, head.offset])
        complete.get_layer(f"likeness{suffix}").set_weights(list(head.kernel()))
        complete.get_layer(f"{LOGIT}{suffix}").set_weights(list(head.output()))
    return complete


def _attach(compared: Any, head: Head, suffix: str) -> Any:
    import keras

    layers = keras.layers

    def named(name: str) -> dict[str, str]:
        return {"name": f"{name}{suffix}", "dtype": "float32"}

    position = layers.Dense(head.components.shape[1], **named("components"))(compared)
    square = layers.Dot(axes=1, **named("square"))([position, position])
    both = layers.Concatenate(**named("position"))([position, square])
    likeness = layers.Dense(len(head.centres), "exponential", **named("likeness"))(both)
    return layers.Dense(1, **named(LOGIT))(likeness)


def submodel(network: "keras.Model", start: str, end: str) -> "keras.Model":
    """Returns the layers of a network after `start` up to and including `end`; the weights are shared."""
    import keras

    return keras.Model(network.get_layer(start).output, network.get_layer(end).output)
