"""The network, a ResNet-50: uint8 RGB in, what heads compare out; the ImageNet preprocessing is a layer of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import head
from models.errors import WeightsError
from models.imagenet import FOOD, OTHER

if TYPE_CHECKING:
    import keras

IMAGENET_MEAN_RGB = (123.68, 116.779, 103.939)
"""Mean of the ImageNet training pixels, 0 to 255, subtracted by the Caffe models that Keras' weights come from."""

FEATURES = "features"
LOGIT = head.LOGIT
LAST_MAP = "conv5_block3_out"
"""Name of the layer before the global average pooling, the last feature map: (7, 7, 2048) at side 224."""


def build() -> "keras.Model":
    """Builds a ResNet-50 (He et al. 2015) with random weights: uint8 RGB (n, side, side, 3) → float32 (n, 2049).

    It takes pictures of any side. `models.head.attach_heads` completes it.
    """
    import keras

    pixels = keras.Input((None, None, 3), dtype="uint8", name="pixels")
    # Keras' weights expect BGR. `load_imagenet` swaps the channels of the first kernel, which saves flipping the
    # pixels.
    centred = keras.layers.Rescaling(1.0, [-mean for mean in IMAGENET_MEAN_RGB], name="imagenet")(pixels)
    body = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=centred)
    features = keras.layers.GlobalAveragePooling2D(name=FEATURES)(body.output)
    return keras.Model(pixels, head.attach_features(features), name="resnet50")


def backbone(network: "keras.Model") -> "keras.Model":
    """Returns the part of a network of `build` before its head: uint8 pixels → float32 features (n, 2048)."""
    import keras

    return keras.Model(network.input, network.get_layer(FEATURES).output, name="backbone")


def load_imagenet(network: "keras.Model", path: Path) -> None:
    """Copies stock Keras ResNet-50 weights into a network of `build`.

    Args:
        network: The network.
        path: The weights, a `.h5` file.

    Raises:
        WeightsError: The file does not hold all weights.
    """
    import keras

    stock = keras.applications.ResNet50(weights=None)
    try:
        stock.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} does not hold all of Keras' ResNet-50 weights ({error}); delete it, and foodsort fetches it again"
        ) from error
    for layer in stock.layers:
        weights = layer.get_weights()
        if layer.name == "conv1_conv":
            weights[0] = np.ascontiguousarray(weights[0][:, :, ::-1, :])  # BGR → RGB, see `build`
        if layer.name == "predictions":
            for name, classes in ((head.FOODS, FOOD), (head.OTHERS, OTHER)):
                network.get_layer(name).set_weights([values[..., list(classes)] for values in weights])
        elif weights:
            network.get_layer(layer.name).set_weights(weights)
