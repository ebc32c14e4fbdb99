"""Why: the class activation map, which says of each place of a photo how much it speaks for food."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.bundle import Bundle
from models.engines import Engine, Maps
from models.engines.tensorflow import load_tensorflow
from models.head import part
from models.images.decode import Pixels
from models.resnet50 import FEATURES, LOGIT

if TYPE_CHECKING:
    import keras


def maps(bundle: Bundle, engine: Engine, pixels: Pixels) -> Maps:
    """uint8 RGB (n, side, side, 3) → float32 (n, h, w) in units of the logit: positive speaks for food.

    engine: one opened for `bundle`. Its last feature map is explained, so what an int8 model saw, not what it should have.
    The network is loaded each time; who asks again keeps `judge` and calls `added`. Raises EngineError when the engine has
    no such map, BundleError when the network cannot be loaded.
    """
    activations = engine.last_map(pixels)
    return added(judge(bundle), activations)


def judge(bundle: Bundle) -> "keras.Model":
    """A bundle's head alone: features, float32 (n, channels) → logit (n, 1). Raises BundleError.

    It is a copy: a part of the network itself would keep all of it in memory, eight times as much.
    """
    load_tensorflow()
    import keras

    head = part(bundle.network(), FEATURES, LOGIT)
    copied = keras.models.clone_model(head)
    copied.set_weights(head.get_weights())
    return copied


def added(head: "keras.Model", activations: Maps) -> Maps:
    """What each place adds to the logit that `head` gives to its mean: (n, h, w, channels) → float32 (n, h, w)."""
    slopes = gradients(head, activations.mean(axis=(1, 2)))
    _, height, width, _ = activations.shape
    shares: Maps = np.einsum("nhwc,nc->nhw", activations, slopes) / (height * width)
    return shares


def whole(maps: Maps, logits: npt.ArrayLike) -> Maps:
    """Maps (n, h, w) that add up to the logits (n): what no place adds more than another is shared by all of them.

    That is the bias of a linear head; of a curved one it is most of what it says of a photo that it is sure of, which
    then is warm all over for food and not half cool, since only the differences between places were left.
    """
    n, height, width = maps.shape
    rest = np.asarray(logits, np.float32) - maps.sum(axis=(1, 2))
    completed: Maps = maps + rest.reshape(n, 1, 1) / np.float32(height * width)
    return completed


def gradients(head: "keras.Model", features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How the logit changes with each feature: float32 (n, channels) → float32 (n, channels).

    A place's share of a feature, which is a mean over places, times this slope is what the place adds to the logit. With
    a linear head that is the class activation map of Zhou et al. 2016 (arXiv 1512.04150), and all places and the bias
    add up to the logit. With another head it is Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) without its ReLU, which
    would hide what speaks against food.
    """
    import tensorflow as tf

    given = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(given)
        logits = head(given, training=False)
    # The tape sums over the photos; none of them has a part in another's logit.
    return np.asarray(tape.gradient(logits, given), np.float32)
