"""ONNX Runtime on batches of 8. A thread for each core decodes photos ahead with Pillow."""

import os
import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

BATCH = 8

root = Path(sys.argv[1])
session = onnxruntime.InferenceSession(sys.argv[2], providers=onnxruntime.get_available_providers())
(pixels_in,) = session.get_inputs()
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")


def read(path: Path) -> npt.NDArray[np.uint8]:
    """Reads the pixels of a photo."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))


paths = sorted((root / "inbox").iterdir())
with ThreadPoolExecutor(os.cpu_count()) as pool:
    decoded = pool.map(read, paths)
    for at in range(0, len(paths), BATCH):
        chunk = paths[at : at + BATCH]
        pixels = np.stack([next(decoded) for _ in chunk])
        (logits,) = session.run(None, {pixels_in.name: pixels})
        for path, logit in zip(chunk, logits[:, 0], strict=True):
            label = "food" if logit >= 0 else "non_food"
            shutil.move(path, root / label)
            database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, float(logit)))
        database.commit()
