import dataclasses
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from models.decision import Thresholds
from models.engines.scripted import ScriptedEngine
from tests.training.conftest import Bundled
from training.data import dataset
from training.evaluation.predictions import predict


def test_predictions_hold_the_readable_photos_with_their_logits(data: Path, bundled: Bundled) -> None:
    frame = dataset.read(data, ("training",))
    with Progress(console=Console(quiet=True)) as progress:
        predictions = predict(bundled(), ScriptedEngine(), frame, progress)
    assert [photo.path for photo in predictions.unreadable] == [str(data / "training/1_cut.jpg")]
    assert [*predictions.photos["path"], str(data / "training/1_cut.jpg")] == sorted(frame["path"])
    assert predictions.engine_name == "scripted"
    assert list(predictions.labels) == [int(Path(path).name[0]) for path in predictions.photos["path"]]
    assert ((predictions.logits > 0) == (predictions.labels == 1)).all()  # the scripted engine takes red for food


def test_probabilities_and_labels_are_the_bundles(data: Path, bundled: Bundled) -> None:
    with Progress(console=Console(quiet=True)) as progress:
        predictions = predict(bundled(), ScriptedEngine(), dataset.read(data, ("validation",)), progress)
    assert not predictions.wrong.any()
    strict = dataclasses.replace(
        predictions,
        bundle=bundled(temperature=4.0, thresholds=Thresholds(food=0.999, unsure_low=0.1, unsure_high=0.9999)),
    )
    assert strict.threshold == 0.999
    assert strict.p_uncalibrated == pytest.approx(1 / (1 + np.exp(-strict.logits.astype(float))))
    assert strict.p_food == pytest.approx(1 / (1 + np.exp(-strict.logits.astype(float) / 4)))
    assert strict.wrong.tolist() == [
        bool(label) and p < 0.999 for label, p in zip(strict.labels, strict.p_food, strict=True)
    ]
