"""Graphs of a network for TensorFlow: traced, compiled with XLA, frozen, in mixed precision."""

import logging
from typing import TYPE_CHECKING, Any

from models import OWNER
from models.head import FLOAT32_LAYERS
from models.images.decode import Pixels

if TYPE_CHECKING:
    import keras


def trace(network: "keras.Model", *, compiled: bool = False) -> Any:
    """Wraps a network, or a part of one, in a `tf.function` for inference.

    The batch size is dynamic: one signature per batch size would cost 1.5 s of tracing each.

    Args:
        network: The network.
        compiled: Compile it with XLA, again for each batch size.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype, name="pixels")]
    return tf.function(
        lambda pixels: network(pixels, training=False),
        input_signature=signature,
        autograph=False,
        jit_compile=compiled or None,
    )


def compile_network(network: "keras.Model", device: str, pixels: Pixels) -> Any:
    """Compiles the network with XLA, which fuses its operations; without XLA if that fails.

    XLA's compiler needs parts of CUDA that TensorFlow itself does not need.
    """
    import tensorflow as tf

    function = trace(network, compiled=True)
    try:
        with tf.device(device):
            function(pixels)
    except tf.errors.ResourceExhaustedError:
        return function
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())[:200]
        logging.getLogger(OWNER).warning("XLA failed; the network runs without it, more slowly: %s", reason)
        return trace(network)
    return function


def freeze(function: Any) -> Any:
    """Makes the weights of a traced function constant, so TensorFlow folds the batch normalisation into the kernels."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    run = convert_variables_to_constants_v2(function.get_concrete_function())
    return lambda pixels: run(tf.constant(pixels))[0]


def mix_float16(network: "keras.Model") -> None:
    """Makes a network compute in float16 with float32 variables (Micikevicius et al. 2018); the head stays float32."""
    for layer in network.layers:
        if not layer.name.startswith(FLOAT32_LAYERS):
            layer.dtype_policy = "mixed_float16"
