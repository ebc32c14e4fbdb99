"""What a training runs on."""

import keras
import tensorflow as tf


def deterministic(seed: int) -> None:
    """Has TensorFlow give the same numbers for the same work on the same machine."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # An engine of this process may have asked for it; a training computes in float32.
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": False})
