"""What a training runs on."""

import keras
import tensorflow as tf


def deterministic(seed: int) -> None:
    """Has TensorFlow give the same numbers for the same work on the same machine."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
