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
from models.bundle import BANK, Bundle
from models.cascade import look
from models.decision import probability
from models.engines import open_engine
from models.errors import FoodsortError, WeightsError
from models.images.decode import Fit, Pixels, decode
from tests.daemon.conftest import mounted
from tests.training.conftest import QUIET, TINY, Trained, train_arguments
from training import train as train_module
from training.data import audit_report, dataset
from training.evaluation.metrics import compute_metrics
from training.fitting import feature_bank
from training.fitting.recipe import Recipe
from training.report.evaluate import evaluate
from training.train import train

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    assert trained.result.exit_code == 0, trained.result.output
    return Bundle.load(trained.out)


@pytest.fixture(scope="module")
def network(bundle: Bundle) -> Any:
    return bundle.load_network()


@pytest.fixture(scope="module")
def evaluation_photos(data: Path) -> tuple[Pixels, list[int]]:
    """Pixels and labels of the evaluation split."""
    frame = dataset.read(data, ("evaluation",))
    return np.stack([decode(Path(path).read_bytes(), Fit()).pixels for path in frame["path"]]), list(frame["label"])


def test_a_file_without_a_label_is_named_everywhere(trained: Trained) -> None:
    named = f"no label in the name: 1 file, such as {trained.data / 'validation/holiday.jpg'}"
    assert f"left out, {named}" in trained.result.stderr
    row = f"| no label in the name | 1 | {trained.data / 'validation/holiday.jpg'} |"
    assert row in (trained.out / "audit.md").read_text().splitlines()
    assert "Left out, no label in the name: 1 file" in (trained.out / "report.md").read_text()


@pytest.mark.system
@pytest.mark.usefixtures("without_int8")
def test_a_training_on_a_full_disk_says_so_and_is_resumed(tmp_path: Path, data: Path, weights: Path) -> None:
    with mounted(tmp_path / "disk", "size=200k") as disk:
        for size in ("200k", "60m"):  # too little for the photos, and for the bundle
            subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
            with pytest.raises(FoodsortError, match=r"no room on the disk of .*/mine\.unfinished .*; free some space"):
                train(data, disk / "mine", weights=weights, recipe=TINY, console=QUIET)
        subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)
        train(data, disk / "mine", weights=weights, recipe=TINY, console=QUIET)
        assert [path.name for path in disk.iterdir()] == ["mine"]


@pytest.mark.system
def test_a_report_on_a_full_disk_says_so(tmp_path: Path, data: Path) -> None:
    with (
        mounted(tmp_path / "disk", "size=40k") as disk,
        pytest.raises(FoodsortError, match=r"no room on the disk of .*/report .*; then run the command again"),
    ):
        evaluate(
            *(data, disk / "report"), model=None, split="evaluation", engine_name="scripted", console=QUIET, brief=False
        )


def test_training_leaves_a_bundle_with_its_report_and_nothing_else(bundle: Bundle) -> None:
    assert {path.name for path in bundle.folder.iterdir()} == {
        "audit.json",
        "audit.md",
        "card.json",
        "cascade.svg",
        "classification_report.txt",
        "confusion_matrix.png",
        "features.npz",
        "heads.npz",
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


def test_the_card_describes_the_training(bundle: Bundle, trained: Trained) -> None:
    card = bundle.card
    assert card.data_sha256 == dataset.digest(dataset.read(trained.data))
    assert card.recipe == json.loads(json.dumps(dataclasses.asdict(Recipe(finetune_epochs=2, seed=7))))
    assert card.fit == Fit(224, "stretch", 2)
    assert card.libraries["keras"] == version("keras")
    assert card.created_at.tzinfo is not None
    assert (card.format_version, card.temperature) == (2, 1.0)
    assert card.cascade is not None
    assert card.cascade.side == 128
    assert list(bundle.heads) == [224, 128]
    assert all(0.05 <= head.temperature <= 20 for head in bundle.heads.values())
    assert set(card.files) == {"model.keras", "int8.xml", "int8.bin", "heads.npz", "features.npz"}
    assert set(card.metrics) == {"validation", "left_out_sources", "evaluation"}
    assert card.metrics["validation"]["n"] == 8


def test_the_metrics_of_the_card_are_those_of_the_report(bundle: Bundle) -> None:
    assert bundle.card.metrics["evaluation"] == json.loads((bundle.folder / "metrics.json").read_text())
    assert bundle.card.metrics["evaluation"]["n"] == 8


def test_the_report_shows_the_audit_the_training_and_the_engines(bundle: Bundle) -> None:
    lines = (bundle.folder / "report.md").read_text().splitlines()
    for title in ("Sources left out", "Two looks", "Robustness", "Engines", "Audit", "Training", "Model"):
        assert f"## {title}" in lines
    assert "| training | 8 | 9 |" in lines
    assert any(line.startswith("- Warning: unreadable photos, left out: 1") for line in lines)
    assert f"weights {bundle.card.files['model.keras'][:12]} |" in "".join(lines)


def test_the_metrics_come_from_the_model_that_a_daemon_here_would_run(
    bundle: Bundle, evaluation_photos: tuple[Pixels, list[int]]
) -> None:
    pixels, labels = evaluation_photos
    p_food = probability(look(open_engine("auto", bundle, 8).logits, pixels, bundle.card.cascade).logits, 1.0)
    expected = compute_metrics(p_food, labels, bundle.card.thresholds.food)
    metrics = bundle.card.metrics["evaluation"]
    assert metrics["confusion"] == expected["confusion"]
    assert metrics["roc_auc"] == expected["roc_auc"]
    assert metrics["ece"] == pytest.approx(expected["ece"], abs=1e-3)


def test_only_the_last_stage_changes_and_the_head_compares_with_training_photos(network: Any, weights: Path) -> None:
    stock = resnet50.build()
    resnet50.load_imagenet(stock, weights)
    for name in ("conv1_conv", "conv3_block2_2_conv", "conv5_block3_3_bn", head.FOODS, head.OTHERS):
        for ours, theirs in zip(
            network.get_layer(name).get_weights(), stock.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)  # stored as float16
    for name in ("likeness", "likeness_128"):
        likeness, _ = network.get_layer(name).get_weights()
        # Each photo and its mirror image, and some grey copies and parts, at most.
        assert 2 <= likeness.shape[1] <= 3 * 17
    weights_of_photos, _ = network.get_layer(head.LOGIT).get_weights()
    assert np.abs(weights_of_photos).min() > 0


def test_the_feature_bank_has_the_photos_of_training_and_validation(bundle: Bundle) -> None:
    bank = feature_bank.load(bundle.folder / BANK)
    assert list(bank) == ["training", "guard"]
    assert bank["training"].labels.tolist() == [0] * 8 + [1] * 8
    assert len(bank["guard"].labels) == 8
    for side, machine in bundle.heads.items():
        assert bank["training"].positions[side].shape == (16, machine.components.shape[1])
    assert set(bank["guard"].sources) == {""}


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


@pytest.mark.system  # takes minutes
def test_an_interrupted_training_can_be_resumed_with_the_same_result(
    trained: Trained, network: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "training", *train_arguments(trained.data, trained.weights, tmp_path / "mine")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    state = tmp_path / "mine.unfinished/1-finetune.weights.h5"
    while process.poll() is None and not state.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 1
    last = errors.splitlines()[-1]
    assert last.startswith(f"foodsort: interrupted; the results so far are in {tmp_path / 'mine.unfinished'}")
    assert "Traceback" not in errors
    assert not (tmp_path / "mine").exists()
    subprocess.run(command, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine/history.csv").read_text() == (trained.out / "history.csv").read_text()
    resumed = Bundle.load(tmp_path / "mine")
    for ours, theirs in zip(resumed.load_network().get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert resumed.card.cascade == Bundle.load(trained.out).card.cascade


@pytest.mark.usefixtures("without_int8")
def test_training_learns_to_distinguish_red_from_blue(data: Path, weights: Path, tmp_path: Path) -> None:
    bundle = train(data, tmp_path / "new/folder", weights=weights, recipe=TINY, console=QUIET)
    assert bundle.folder == tmp_path / "new/folder"
    assert bundle.card.fit.side == 64
    assert bundle.card.metrics["validation"]["accuracy"] == 1.0
    assert bundle.card.metrics["evaluation"]["accuracy"] == 1.0


def test_training_leaves_out_dropped_photos_and_duplicates_of_held_out_ones(
    data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(data, tmp_path / "data")
    clean = dataset.digest(dataset.read(mine).query("not path.str.endswith('training/0_3.jpg')"))
    shutil.copy(mine / "evaluation/1_0.jpg", mine / "training/1_leak.jpg")
    (tmp_path / "drop.csv").write_text("path\ntraining/0_3.jpg\n")
    output = io.StringIO()
    console = Console(file=output, width=200)
    jobs = []

    def stop_before_fitting(_: Any, job: Any) -> Path:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "_make_bundle", stop_before_fitting)
    with pytest.raises(FoodsortError, match="interrupted"):
        train(mine, tmp_path / "out", weights=weights, recipe=TINY, console=console, drop=tmp_path / "drop.csv")
    (job,) = jobs
    assert job.identity["photos_sha256"] == clean
    audit_report.write(tmp_path, job.audited)
    audit = json.loads((tmp_path / "audit.json").read_text())
    assert audit["photos"]["training"] == {"non_food": 7, "food": 10}
    assert [(leak["path"], leak["twin"]) for leak in audit["leaks"]] == [
        (str(mine / "training/1_leak.jpg"), str(mine / "evaluation/1_0.jpg"))
    ]
    assert "duplicates: 1 exact, 0 near; 1 photo removed from training" in output.getvalue()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_an_existing_folder_or_file_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    mine = tmp_path / "mine" if kind == "file" else tmp_path / "mine/notes.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("keep me")
    with pytest.raises(FoodsortError, match="already exists; name a new folder with --out"):
        train(tmp_path / "no data", tmp_path / "mine", weights=None, recipe=Recipe(), console=QUIET)
    assert mine.read_text() == "keep me"
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_a_training_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.weights.h5").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"wrong\.weights\.h5"):
        train(data, tmp_path / "out", weights=tmp_path / "wrong.weights.h5", recipe=TINY, console=QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.weights.h5"]


def test_a_folder_that_is_not_a_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(dataset.DatasetError, match="training must hold photos of both labels"):
        train(tmp_path, tmp_path / "out", weights=None, recipe=Recipe(), console=QUIET)
    assert not (tmp_path / "out").exists()
