"""Keras' own loader and `predict` over the whole folder in batches of 32, then all moves and rows."""

import shutil
import sqlite3
import sys
from pathlib import Path

import keras
import tensorflow as tf

root = Path(sys.argv[1])
network = keras.saving.load_model(sys.argv[2], compile=False)
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")

photos = keras.utils.image_dataset_from_directory(
    root / "inbox", labels=None, image_size=(224, 224), batch_size=32, shuffle=False, verbose=False
)
paths = [Path(path) for path in photos.file_paths]
batches = photos.map(lambda batch: tf.cast(tf.round(batch), tf.uint8), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
for path, logit in zip(paths, network.predict(batches, verbose=0)[:, 0], strict=True):
    label = "food" if logit >= 0 else "non_food"
    shutil.move(path, root / label)
    database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, float(logit)))
database.commit()
