import csv
import dataclasses
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from models import head, resnet50
from models.bundle import Bundle
from models.decision import probability
from models.engines import open_engine
from models.errors import FoodsortError, WeightsError
from models.images.decode import Fit, Pixels, decode
from tests.training.conftest import Trained, words_to_train
from training.data import dataset
from training.evaluation.metrics import metrics
from training.fitting.recipe import Recipe
from training.train import train

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

QUIET = Console(quiet=True)
TINY = Recipe(fit=Fit(side=64))


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    assert trained.result.exit_code == 0, trained.result.output
    return Bundle.load(trained.out)


@pytest.fixture(scope="module")
def network(bundle: Bundle) -> Any:
    return bundle.load_network()


@pytest.fixture(scope="module")
def judged(data: Path) -> tuple[Pixels, list[int]]:
    """Pixels and labels of the evaluation split."""
    frame = dataset.read(data, ("evaluation",))
    return np.stack([decode(Path(path).read_bytes(), Fit()).pixels for path in frame["path"]]), list(frame["label"])


def test_training_leaves_a_bundle_with_its_report_and_nothing_else(bundle: Bundle) -> None:
    assert {path.name for path in bundle.folder.iterdir()} == {
        "audit.json",
        "audit.md",
        "card.json",
        "classification_report.txt",
        "confusion_matrix.png",
        "history.csv",
        "int8.bin",
        "int8.xml",
        "history.svg",
        "metrics.json",
        "mistakes.csv",
        "model.keras",
        "precision_recall.svg",
        "reliability.svg",
        "report.html",
        "report.md",
        "risk_coverage.svg",
        "roc.svg",
        "unreadable.csv",
    }
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["mine"]


def test_the_card_says_what_the_model_was_made_of(bundle: Bundle, trained: Trained) -> None:
    card = bundle.card
    assert card.data_sha256 == dataset.digest(dataset.read(trained.data))
    assert card.recipe == dataclasses.asdict(Recipe(finetune_epochs=2, seed=7))
    assert card.fit == Fit(224, "stretch", 2)
    assert card.libraries["keras"] == version("keras")
    assert card.created_at.tzinfo is not None
    assert 0.05 <= card.temperature <= 20
    assert set(card.files) == {"model.keras", "int8.xml", "int8.bin"}
    assert set(card.metrics) == {"validation", "evaluation"}
    assert card.metrics["validation"]["n"] == 8


def test_the_figures_of_the_card_are_those_of_the_report(bundle: Bundle) -> None:
    assert bundle.card.metrics["evaluation"] == json.loads((bundle.folder / "metrics.json").read_text())
    assert bundle.card.metrics["evaluation"]["n"] == 8


def test_the_report_tells_the_audit_the_training_and_the_engines(bundle: Bundle) -> None:
    lines = (bundle.folder / "report.md").read_text().splitlines()
    for title in ("Robustness", "Engines", "Audit", "Training", "Model"):
        assert f"## {title}" in lines
    assert "| training | 8 | 9 |" in lines
    assert any(line.startswith("- Warning: 1 photos cannot be read") for line in lines)
    assert f"weights {bundle.card.files['model.keras'][:12]} |" in "".join(lines)


def test_the_figures_are_those_of_what_a_daemon_here_would_run(
    bundle: Bundle, judged: tuple[Pixels, list[int]]
) -> None:
    pixels, labels = judged
    p_food = probability(open_engine("auto", bundle, 8).logits(pixels), bundle.card.temperature)
    expected = metrics(p_food, labels, bundle.card.thresholds.food)
    said = bundle.card.metrics["evaluation"]
    assert said["confusion"] == expected["confusion"]
    assert said["roc_auc"] == expected["roc_auc"]
    assert said["ece"] == pytest.approx(expected["ece"], abs=1e-3)


def test_all_but_the_last_stage_stays_as_it_was_and_the_head_compares_with_training_photos(
    network: Any, weights: Path
) -> None:
    fresh = resnet50.build(224)
    resnet50.load_imagenet(fresh, weights)
    for name in ("conv1_conv", "conv3_block2_2_conv", "conv5_block3_3_bn", head.FOODS, head.OTHERS):
        for ours, given in zip(network.get_layer(name).get_weights(), fresh.get_layer(name).get_weights(), strict=True):
            np.testing.assert_allclose(ours, given, rtol=1e-3, atol=1e-5)  # stored as float16
    likeness, _ = network.get_layer(head.LIKENESS).get_weights()
    assert 2 <= likeness.shape[1] <= 2 * 17  # each photo and its mirror image at most
    weights_of_photos, _ = network.get_layer(head.LOGIT).get_weights()
    assert np.abs(weights_of_photos).min() > 0


def test_photos_that_cannot_be_read_are_listed_once(bundle: Bundle, trained: Trained) -> None:
    with (bundle.folder / "unreadable.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == str(trained.data / "training/1_cut.jpg")
    assert row["kind"] == "truncated"
    assert "ends too early" in row["message"]


def test_the_history_has_a_row_an_epoch(bundle: Bundle) -> None:
    with (bundle.folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["loss"] == ""
    assert float(rows[2]["loss"]) < float(rows[1]["loss"])


def test_interrupted_it_says_how_to_go_on_and_ends_where_an_undisturbed_one_does(
    trained: Trained, network: Any, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "training", *words_to_train(trained.data, trained.weights, tmp_path / "mine")]
    started = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    state = tmp_path / "mine.unfinished/1-finetune.weights.h5"
    while started.poll() is None and not state.exists():
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert started.returncode == 1
    (last,) = said.splitlines()[-1:]
    assert last.startswith(f"foodsort: stopped; what is done is kept in {tmp_path / 'mine.unfinished'}")
    assert "Traceback" not in said
    assert not (tmp_path / "mine").exists()
    subprocess.run(words, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine/history.csv").read_text() == (trained.out / "history.csv").read_text()
    again = Bundle.load(tmp_path / "mine")
    for ours, theirs in zip(again.load_network().get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.card.temperature == Bundle.load(trained.out).card.temperature


def test_training_learns_to_tell_red_from_blue(data: Path, weights: Path, tmp_path: Path) -> None:
    made = train(data, tmp_path / "new/folder", weights, TINY, QUIET)
    assert made.folder == tmp_path / "new/folder"
    assert made.card.fit.side == 64
    assert made.card.metrics["validation"]["accuracy"] == 1.0
    assert made.card.metrics["evaluation"]["accuracy"] == 1.0


def test_training_leaves_out_what_was_dropped_and_what_is_held_out_too(
    data: Path, weights: Path, tmp_path: Path
) -> None:
    mine = shutil.copytree(data, tmp_path / "data")
    clean = dataset.digest(dataset.read(mine).query("not path.str.endswith('training/0_3.jpg')"))
    shutil.copy(mine / "evaluation/1_0.jpg", mine / "training/1_leak.jpg")
    (tmp_path / "drop.csv").write_text("path\ntraining/0_3.jpg\n")
    said = Console(file=io.StringIO(), width=200)
    made = train(mine, tmp_path / "out", weights, TINY, said, drop=tmp_path / "drop.csv")
    assert made.card.data_sha256 == clean
    found = json.loads((made.folder / "audit.json").read_text())
    assert found["photos"]["training"] == {"non_food": 7, "food": 10}
    assert [(leak["path"], leak["twin"]) for leak in found["leaks"]] == [
        (str(mine / "training/1_leak.jpg"), str(mine / "evaluation/1_0.jpg"))
    ]
    assert isinstance(said.file, io.StringIO)
    assert "twins: 1 exact, 0 near; 1 photos leave training for them" in said.file.getvalue()


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_what_is_there_already_is_never_written_over(tmp_path: Path, taken: str) -> None:
    mine = tmp_path / "mine" if taken == "file" else tmp_path / "mine/notes.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("keep me")
    with pytest.raises(FoodsortError, match="is there already; name a new folder with --out"):
        train(tmp_path / "no data", tmp_path / "mine", None, Recipe(), QUIET)
    assert mine.read_text() == "keep me"
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_a_training_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.weights.h5").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"wrong\.weights\.h5"):
        train(data, tmp_path / "out", tmp_path / "wrong.weights.h5", TINY, QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.weights.h5"]


def test_a_folder_that_is_no_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(dataset.DatasetError, match="training must hold photos of both labels"):
        train(tmp_path, tmp_path / "out", None, Recipe(), QUIET)
    assert not (tmp_path / "out").exists()
