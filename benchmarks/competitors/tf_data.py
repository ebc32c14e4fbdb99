"""A `tf.data` pipeline that decodes in parallel and ahead, and a `tf.function`. The last argument is the batch size."""

import shutil
import sqlite3
import sys
from pathlib import Path

import keras
import tensorflow as tf

root, batch_size = Path(sys.argv[1]), int(sys.argv[3])
network = keras.saving.load_model(sys.argv[2], compile=False)
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")


def read(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads the pixels of a photo; also returns its path."""
    image = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), (224, 224))
    return path, tf.cast(tf.round(image), tf.uint8)


@tf.function(input_signature=[tf.TensorSpec((None, 224, 224, 3), tf.uint8)])  # type: ignore[untyped-decorator]
def logits(pixels: tf.Tensor) -> tf.Tensor:
    """Computes the logits (n,)."""
    return network(pixels, training=False)[:, 0]


photos = tf.data.Dataset.from_tensor_slices([str(path) for path in sorted((root / "inbox").iterdir())])
batches = photos.map(read, tf.data.AUTOTUNE).batch(batch_size).prefetch(tf.data.AUTOTUNE)
for paths, pixels in batches:
    for name, logit in zip(paths.numpy(), logits(pixels).numpy(), strict=True):
        path = Path(name.decode())
        label = "food" if logit >= 0 else "non_food"
        shutil.move(path, root / label)
        database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, float(logit)))
    database.commit()
