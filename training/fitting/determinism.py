"""Reproducible TensorFlow trainings."""

import keras
import tensorflow as tf


def make_deterministic(seed: int) -> None:
    """Makes TensorFlow give the same numbers for the same work on the same machine.

    Args:
        seed: Seeds Python, NumPy and TensorFlow.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # An engine in this process may have enabled bfloat16; a training computes in float32.
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": False})
