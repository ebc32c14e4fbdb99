"""From a wrong label to a model trained on the corrected one: `correct`, `export`, `train`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.actions.export import SPLITS, split_of
from daemon.cli import app
from tests.training.conftest import QUIET, TINY, Jpeg
from training.train import train

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

PHOTOS = {"training": 4, "validation": 2, "evaluation": 2}


def foodsort(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def split(photo: bytes) -> str:
    return split_of(hashlib.sha256(photo).hexdigest())


def labelled_photos(jpeg: Jpeg) -> dict[str, bytes]:
    """Photos by name, PHOTOS of each label in each split."""
    photos: dict[str, bytes] = {}
    for label in (0, 1):
        missing = dict(PHOTOS)
        for number in range(1000):
            photo = jpeg(label, number)
            if missing[split(photo)]:
                missing[split(photo)] -= 1
                photos[f"{label}-{number}.jpg"] = photo
            if not any(missing.values()):
                break
    return photos


@pytest.mark.usefixtures("without_int8")
def test_a_model_is_trained_on_corrected_labels(tmp_path: Path, jpeg: Jpeg, weights: Path) -> None:
    root, data = tmp_path / "root", tmp_path / "data"
    foodsort("init", root)
    photos = labelled_photos(jpeg)
    for name, photo in photos.items():
        (root / "inbox" / name).write_bytes(photo)
    fast = {"FOODSORT_MODEL__ENGINE": "scripted", "FOODSORT_WATCH__SETTLE_S": "0.2"}
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root), "--once"]
    subprocess.run(command, env=os.environ | fast, check=True, capture_output=True)
    # The scripted engine takes everything red for food, and so does the person, except for one photo.
    wrong = next(name for name, photo in photos.items() if name[0] == "1" and split(photo) == "training")
    foodsort("correct", "--root", root, "food", "--label", "food")
    foodsort("correct", "--root", root, "non_food", "--label", "non_food")
    foodsort("correct", "--root", root, f"food/{wrong}", "--label", "non_food")
    output = foodsort("export", "--root", root, "--out", data, "--split")
    assert output.splitlines()[-1] == f"train with: foodsort train --data {data} --out BUNDLE"
    copies = {path.read_bytes(): path.name[0] for part in SPLITS for path in (data / part).iterdir()}
    assert copies == {photo: "0" if name == wrong else name[0] for name, photo in photos.items()}
    bundle = train(data, tmp_path / "mine", weights=weights, recipe=TINY, console=QUIET)
    assert bundle.card.metrics["evaluation"]["n"] == 2 * PHOTOS["evaluation"]
