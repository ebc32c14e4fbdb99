"""OpenVINO as in its first Python sample: read a photo, resize it, infer. The last argument `f32` selects float32."""

import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from PIL import Image

root = Path(sys.argv[1])
precision = {"INFERENCE_PRECISION_HINT": sys.argv[3]} if len(sys.argv) > 3 else {}
network = ov.Core().compile_model(sys.argv[2], "CPU", precision)
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")

for path in sorted((root / "inbox").iterdir()):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
    logit = float(network(pixels[None])[0][0, 0])
    label = "food" if logit >= 0 else "non_food"
    shutil.move(path, root / label)
    database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, logit))
    database.commit()
