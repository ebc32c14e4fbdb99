"""Augmentation, so that the network relies less on size, sharpness, colour and compression."""

from collections.abc import Callable
from typing import Any

import numpy as np

from models.images.decode import Pixels

JPEG_QUALITY = (20, 90)
MIN_SCALE = 0.35
"""Smallest scale, relative to the side, of the random down- and upscaling."""
DETAIL_LOSS_PROBABILITY = 0.3
"""Probability of each augmentation that loses detail: rescaling and JPEG. Blur and erasing have half of it."""


def augmenter(seed: int) -> Callable[[Pixels], Pixels]:
    """Returns a function that augments photos, uint8 (n, side, side, 3) → the same shape.

    It applies a random flip, zoom with another aspect ratio, shift and rotation of up to 10°; changes brightness,
    contrast and saturation; and sometimes blurs, rescales, JPEG-compresses or erases a part. The augmentation is mild
    on purpose: strong augmentation of 3,000 photos made the network worse (see docs/model).

    Args:
        seed: Two augmenters with the same seed give the same photos for the same calls.
    """
    import keras
    import tensorflow as tf

    layers = keras.layers
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    geometry = [
        layers.RandomFlip("horizontal", seed=next(seeds)),
        layers.RandomZoom((-0.35, 0.0), (-0.35, 0.0), seed=next(seeds)),  # zooms in, each side independently
        layers.RandomTranslation(0.08, 0.08, seed=next(seeds)),
        layers.RandomRotation(10 / 360, seed=next(seeds)),
    ]
    colour = [
        layers.RandomColorJitter((0, 255), 0.2, 0.2, (0.4, 0.6), seed=next(seeds)),
        layers.RandomGaussianBlur(DETAIL_LOSS_PROBABILITY / 2, 7, 1.0, seed=next(seeds)),
        layers.RandomErasing(DETAIL_LOSS_PROBABILITY / 2, (0.02, 0.1), seed=next(seeds)),
    ]
    random = tf.random.Generator.from_seed(next(seeds))

    def lose_detail(photo: Any) -> Any:
        side = photo.shape[0]
        scale = random.uniform([], MIN_SCALE, 1.0)
        chance = random.uniform([2])
        quality = random.uniform([], *JPEG_QUALITY)
        if chance[0] < DETAIL_LOSS_PROBABILITY:
            small = tf.cast(tf.cast(side, tf.float32) * scale, tf.int32)
            photo = tf.image.resize(tf.image.resize(photo, [small, small], antialias=True), [side, side], "bicubic")
        photo = tf.cast(tf.clip_by_value(tf.round(photo), 0, 255), tf.uint8)
        if chance[1] < DETAIL_LOSS_PROBABILITY:
            photo = tf.image.adjust_jpeg_quality(photo, tf.cast(quality, tf.int32))
        return tf.ensure_shape(photo, (side, side, 3))

    def augment(photos: Any) -> Any:
        photos = tf.cast(photos, tf.float32)
        for layer in (*geometry, *colour):
            photos = layer(photos, training=True)
        return tf.map_fn(lose_detail, photos, fn_output_signature=tf.uint8)

    traced = tf.function(augment, reduce_retracing=True)
    return lambda photos: np.asarray(traced(tf.constant(photos)))
