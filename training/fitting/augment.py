"""Pictures made a little different, so that a network does not lean on size, sharpness, colour or compression."""

from collections.abc import Callable
from typing import Any

import numpy as np

from models.images.decode import Pixels

JPEG_QUALITY = (20, 90)
SMALLEST = 0.35
"""Share of its side to which a picture is scaled down, and up again."""
SOMETIMES = 0.3
"""Probability of the disturbances that cost detail: scaling down and up, JPEG; half of it for blur and for erasing."""


def augmenter(seed: int) -> Callable[[Pixels], Pixels]:
    """A function from pictures, uint8 (n, side, side, 3), to as many mildly changed ones of the same shape.

    A random piece with another aspect ratio, mirrored, turned by up to 10°, shifted; brighter or darker, with other
    contrast and saturation; sometimes blurred, scaled down and up, pressed into a JPEG, or with a piece erased. Two with
    the same seed give the same pictures for the same calls. Mild on purpose: strong changes of 3,000 photos made the
    network worse (see docs/model).
    """
    import keras
    import tensorflow as tf

    layers, seeds = keras.layers, iter(range(1000 * seed, 1000 * seed + 1000))
    geometry = [
        layers.RandomFlip("horizontal", seed=next(seeds)),
        layers.RandomZoom((-0.35, 0.0), (-0.35, 0.0), seed=next(seeds)),  # inwards, each side by itself
        layers.RandomTranslation(0.08, 0.08, seed=next(seeds)),
        layers.RandomRotation(10 / 360, seed=next(seeds)),
    ]
    colour = [
        layers.RandomColorJitter((0, 255), 0.2, 0.2, (0.4, 0.6), seed=next(seeds)),
        layers.RandomGaussianBlur(SOMETIMES / 2, 7, 1.0, seed=next(seeds)),
        layers.RandomErasing(SOMETIMES / 2, (0.02, 0.1), seed=next(seeds)),
    ]
    random = tf.random.Generator.from_seed(next(seeds))

    def one(picture: Any) -> Any:
        side = picture.shape[0]
        scale, chosen, quality = (
            random.uniform([], SMALLEST, 1.0),
            random.uniform([2]),
            random.uniform([], *JPEG_QUALITY),
        )
        if chosen[0] < SOMETIMES:
            small = tf.cast(tf.cast(side, tf.float32) * scale, tf.int32)
            picture = tf.image.resize(tf.image.resize(picture, [small, small], antialias=True), [side, side], "bicubic")
        picture = tf.cast(tf.clip_by_value(tf.round(picture), 0, 255), tf.uint8)
        if chosen[1] < SOMETIMES:
            picture = tf.image.adjust_jpeg_quality(picture, tf.cast(quality, tf.int32))
        return tf.ensure_shape(picture, (side, side, 3))

    def changed(pictures: Any) -> Any:
        pictures = tf.cast(pictures, tf.float32)
        for layer in (*geometry, *colour):
            pictures = layer(pictures, training=True)
        return tf.map_fn(one, pictures, fn_output_signature=tf.uint8)

    traced = tf.function(changed, reduce_retracing=True)
    return lambda pictures: np.asarray(traced(tf.constant(pictures)))
