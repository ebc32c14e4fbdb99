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
from training.evaluation.predictions import judge


def test_a_run_holds_the_readable_photos_with_their_outputs(data: Path, bundled: Bundled) -> None:
    frame = dataset.read(data, ("training",))
    with Progress(console=Console(quiet=True)) as progress:
        judged = judge(bundled(), ScriptedEngine(), frame, progress)
    assert [one.path for one in judged.unreadable] == [str(data / "training/1_cut.jpg")]
    assert [*judged.photos["path"], str(data / "training/1_cut.jpg")] == sorted(frame["path"])
    assert judged.engine == "scripted"
    assert list(judged.labels) == [int(Path(path).name[0]) for path in judged.photos["path"]]
    assert ((judged.logits > 0) == (judged.labels == 1)).all()  # red is food to the scripted engine


def test_probabilities_and_labels_are_the_bundles(data: Path, bundled: Bundled) -> None:
    with Progress(console=Console(quiet=True)) as progress:
        judged = judge(bundled(), ScriptedEngine(), dataset.read(data, ("validation",)), progress)
    assert not judged.wrong.any()
    strict = dataclasses.replace(
        judged, bundle=bundled(temperature=4.0, thresholds=Thresholds(food=0.999, unsure_low=0.1, unsure_high=0.9999))
    )
    assert strict.threshold == 0.999
    assert strict.p_raw == pytest.approx(1 / (1 + np.exp(-strict.logits.astype(float))))
    assert strict.p_food == pytest.approx(1 / (1 + np.exp(-strict.logits.astype(float) / 4)))
    assert strict.wrong.tolist() == [
        bool(label) and p < 0.999 for label, p in zip(strict.labels, strict.p_food, strict=True)
    ]
