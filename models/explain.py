"""The class activation map: how much each place of a photo contributes to the logit."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.bundle import Bundle
from models.engines.base import Engine, Maps
from models.engines.tensorflow import load_tensorflow
from models.head import submodel
from models.images.decode import Pixels
from models.resnet50 import FEATURES, LOGIT

if TYPE_CHECKING:
    import keras


def class_activation_maps(bundle: Bundle, engine: Engine, pixels: Pixels) -> Maps:
    """Computes the class activation maps of photos.

    Loads the network each time. To explain many photos, keep the result of `load_head` and call `contributions`.

    Args:
        bundle: The model.
        engine: An engine opened for `bundle`. Its last feature map is explained; an int8 engine's map is its own, not
            that of the float32 network.
        pixels: uint8 RGB (n, side, side, 3).

    Returns:
        float32 (n, h, w) in units of the logit; positive values are evidence for food.

    Raises:
        EngineError: The engine has no feature map.
        BundleError: The network cannot be loaded.
    """
    activations = engine.last_map(pixels)
    return contributions(load_head(bundle, pixels.shape[1]), activations)


def load_head(bundle: Bundle, side: int) -> "keras.Model":
    """Loads a bundle's head for pictures of one side: features, float32 (n, channels) → logit (n, 1).

    Raises BundleError. The head is a copy: a submodel would keep the whole network in memory, eight times as much.
    """
    load_tensorflow()
    import keras

    logit = LOGIT if side == bundle.card.fit.side else f"{LOGIT}_{side}"
    head = submodel(bundle.load_network(), FEATURES, logit)
    copy = keras.models.clone_model(head)
    copy.set_weights(head.get_weights())
    return copy


def contributions(head: "keras.Model", activations: Maps) -> Maps:
    """Computes the contribution of each place to the logit of the mean of all places.

    Args:
        head: Features, float32 (n, channels) → logit (n, 1).
        activations: The last feature map, float32 (n, h, w, channels).

    Returns:
        float32 (n, h, w).
    """
    slopes = gradients(head, activations.mean(axis=(1, 2)))
    _, height, width, _ = activations.shape
    result: Maps = np.einsum("nhwc,nc->nhw", activations, slopes) / (height * width)
    return result


def complete(maps: Maps, logits: npt.ArrayLike) -> Maps:
    """Spreads the rest of each logit over all places, so that the maps add up to the logits.

    The rest is the bias of a linear head. Of a curved head it is most of the logit of a confident prediction. Without
    it the map would show only differences between places: half of a certain food photo would look like evidence against
    it.

    Args:
        maps: float32 (n, h, w).
        logits: (n,).

    Returns:
        float32 (n, h, w).
    """
    n, height, width = maps.shape
    rest = np.asarray(logits, np.float32) - maps.sum(axis=(1, 2))
    result: Maps = maps + rest.reshape(n, 1, 1) / np.float32(height * width)
    return result


def gradients(head: "keras.Model", features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Computes the gradient of the logit by each feature: float32 (n, channels) → float32 (n, channels).

    A feature is a mean over places. A place's share of a feature times its gradient is the contribution of the place to
    the logit. With a linear head this is the class activation map of Zhou et al. 2016 (arXiv 1512.04150), and all
    places and the bias add up to the logit. With another head it is Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)
    without its ReLU, which would hide evidence against food.
    """
    import tensorflow as tf

    inputs = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = head(inputs, training=False)
    # The tape differentiates the sum over the photos; no photo contributes to the logit of another.
    return np.asarray(tape.gradient(logits, inputs), np.float32)
