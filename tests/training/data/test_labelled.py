"""The way from a wrong label to a model that has learned from a person's: `correct`, `export`, `train`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.actions.export import SPLITS, split_of
from daemon.cli import app
from tests.training.conftest import Jpeg
from tests.training.test_train import QUIET, TINY
from training.train import train

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PHOTOS = {"training": 4, "validation": 2, "evaluation": 2}


def foodsort(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def split(photo: bytes) -> str:
    return split_of(hashlib.sha256(photo).hexdigest())


def some(jpeg: Jpeg) -> dict[str, bytes]:
    """Photos by name, so many of each label in each split."""
    found: dict[str, bytes] = {}
    for label in (0, 1):
        wanted = dict(PHOTOS)
        for number in range(1000):
            photo = jpeg(label, number)
            if wanted[split(photo)]:
                wanted[split(photo)] -= 1
                found[f"{label}-{number}.jpg"] = photo
            if not any(wanted.values()):
                break
    return found


def test_from_a_wrong_label_to_a_model_that_learned_of_it(tmp_path: Path, jpeg: Jpeg, weights: Path) -> None:
    root, data = tmp_path / "root", tmp_path / "data"
    foodsort("init", root)
    photos = some(jpeg)
    for name, photo in photos.items():
        (root / "inbox" / name).write_bytes(photo)
    fast = {"FOODSORT_MODEL__ENGINE": "scripted", "FOODSORT_WATCH__SETTLE_S": "0.2"}
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root), "--once"]
    subprocess.run(command, env=os.environ | fast, check=True, capture_output=True)
    # The scripted engine finds food in all that is red, and so does the person, but for one photo.
    wrong = next(name for name, photo in photos.items() if name[0] == "1" and split(photo) == "training")
    foodsort("correct", "--root", root, "food", "--label", "food")
    foodsort("correct", "--root", root, "non_food", "--label", "non_food")
    foodsort("correct", "--root", root, f"food/{wrong}", "--label", "non_food")
    said = foodsort("export", "--root", root, "--out", data, "--split")
    assert said.splitlines()[-1] == f"train with: foodsort train --data {data} --out BUNDLE"
    copies = {path.read_bytes(): path.name[0] for part in SPLITS for path in (data / part).iterdir()}
    assert copies == {photo: "0" if name == wrong else name[0] for name, photo in photos.items()}
    bundle = train(data, tmp_path / "mine", weights, TINY, QUIET)
    assert bundle.card.metrics["evaluation"]["n"] == 2 * PHOTOS["evaluation"]
