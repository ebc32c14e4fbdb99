import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import gpu

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def test_it_measures_each_side_both_precisions_and_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((300, 200)).save(file, "JPEG")
        (tmp_path / f"{seed}.jpg").write_bytes(file.getvalue())
    monkeypatch.setattr(sys, "argv", ["gpu", str(tmp_path), "--seconds", "0.01"])
    monkeypatch.setattr(gpu, "FOLDER_PHOTOS", 4)
    gpu.main()
    output = capsys.readouterr().out
    for row in ("device", "224 px, batches of 8", "float32", "a folder of JPEGs, end to end"):
        assert f"\n{row}: " in f"\n{output}"
    assert "photos/s" in output
