import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from models.bundle import NETWORK, Bundle, Card
from models.decision import Thresholds
from models.engines.tensorflow import load_tensorflow
from models.images.decode import Fit
from training.cli import app
from training.fitting.recipe import Recipe

PHOTOS = {"training": 8, "validation": 4, "evaluation": 4}
QUIET = Console(quiet=True)
TINY = Recipe(fit=Fit(side=64), cascade_side=32)

Jpeg = Callable[[int, int], bytes]
Bundled = Callable[..., Bundle]


class Trained(NamedTuple):
    """The inputs and the result of one run of `foodsort train`."""

    data: Path
    weights: Path
    out: Path
    result: Result


@pytest.fixture(scope="session")
def jpeg() -> Jpeg:
    """Bytes of a small photo: reddish for label 1 (food), bluish for label 0; `number` makes each one distinct."""

    def make(label: int, number: int) -> bytes:
        texture = np.random.default_rng(number).integers(0, 120, (12, 16, 3), dtype=np.uint8)
        texture[..., 0 if label else 2] += 130
        file = io.BytesIO()
        Image.fromarray(texture).resize((160, 120)).save(file, "JPEG", quality=90)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def bundled() -> Bundled:
    """A bundle without a network, for the scripted engine; arguments change its card."""

    def make(**changes: Any) -> Bundle:
        card = Card(
            name="tiny",
            created_at=datetime(2026, 11, 24, tzinfo=UTC),
            fit=Fit(side=64),
            temperature=1.0,
            thresholds=Thresholds(food=0.5, unsure_low=0.2, unsure_high=0.8),
            recipe={},
            metrics={},
            data_sha256="d" * 64,
            libraries={"keras": "3"},
            files={NETWORK: "a" * 64},
        )
        return Bundle(Path("nowhere"), card.model_copy(update=changes), "b" * 64)

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, jpeg: Jpeg) -> Path:
    """8 + 8 photos for training, 4 + 4 in the other splits, a truncated photo, and one without a label in its name."""
    folder = tmp_path_factory.mktemp("data")
    number = 0
    for split, photos in PHOTOS.items():
        (folder / split).mkdir()
        for label in (0, 1):
            for index in range(photos):
                number += 1
                (folder / split / f"{label}_{index}.jpg").write_bytes(jpeg(label, number))
    (folder / "training/1_cut.jpg").write_bytes(jpeg(1, 99)[:-500])
    (folder / "validation/holiday.jpg").write_bytes(jpeg(1, 98))
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the format of Keras' ImageNet weights."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    keras.applications.ResNet50(weights=None).save_weights(path)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path, weights: Path) -> Trained:
    """One run of `foodsort train` into an existing, empty folder."""
    out = tmp_path_factory.mktemp("models") / "mine"
    out.mkdir()
    return Trained(data, weights, out, CliRunner().invoke(app, train_arguments(data, weights, out)))


@pytest.fixture
def without_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training leaves out the 8-bit network, which takes a third of its time and has tests of its own."""
    monkeypatch.setattr("training.fitting.quantization.export_int8", lambda *_: None)


def train_arguments(data: Path, weights: Path, out: Path) -> list[str]:
    """A command line with fine-tuning."""
    return ["train", "--data", str(data), "--out", str(out), "--weights", str(weights), "--epochs", "2", "--seed", "7"]
