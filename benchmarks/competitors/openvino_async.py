"""OpenVINO as in its asynchronous Python sample: a queue infers while the next photo is read. `f32` selects float32."""

import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from PIL import Image

root = Path(sys.argv[1])
hints = {"PERFORMANCE_HINT": "THROUGHPUT"} | ({"INFERENCE_PRECISION_HINT": sys.argv[3]} if len(sys.argv) > 3 else {})
network = ov.Core().compile_model(sys.argv[2], "CPU", hints)
for name in ("food", "non_food"):
    (root / name).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT, logit REAL)")

logits: dict[Path, float] = {}


def done(request: Any, path: Path) -> None:
    """Stores the logit; runs in a thread of the queue."""
    logits[path] = float(request.get_output_tensor().data[0, 0])


queue = ov.AsyncInferQueue(network)
queue.set_callback(done)
for path in sorted((root / "inbox").iterdir()):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
    queue.start_async({0: pixels[None]}, path)
queue.wait_all()
for path, logit in logits.items():
    label = "food" if logit >= 0 else "non_food"
    shutil.move(path, root / label)
    database.execute("INSERT INTO results VALUES (?, ?, ?)", (path.name, label, logit))
database.commit()
