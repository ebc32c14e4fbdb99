"""As articles do it: load a photo with Keras, predict a batch of one, move it, insert its row; then the next photo."""

import shutil
import sqlite3
import sys
from pathlib import Path

import keras
import numpy as np

root = Path(sys.argv[1])
network = keras.saving.load_model(sys.argv[2], compile=False)
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")

for path in sorted((root / "inbox").iterdir()):
    image = keras.utils.load_img(path, target_size=(224, 224), interpolation="bilinear")
    batch = np.expand_dims(keras.utils.img_to_array(image, dtype="uint8"), 0)
    logit = float(network.predict(batch, verbose=0)[0, 0])
    label = "food" if logit >= 0 else "non_food"
    shutil.move(path, root / label)
    database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, logit))
    database.commit()
