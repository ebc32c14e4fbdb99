import html
import json
import runpy
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.bundle import Bundle
from models.errors import BundleError, EngineError, FoodsortError
from tests.training.conftest import Trained
from training.cli import app
from training.data.dataset import DatasetError

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROMISED = {"n", "accuracy", "accuracy_ci95", "precision", "recall", "f1", "roc_auc", "ece", "confusion", "threshold"}


def foodsort(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_train_prints_the_report_and_how_to_use_the_model(trained: Trained) -> None:
    assert trained.result.exit_code == 0, trained.result.output
    said = trained.result.stdout
    figures = json.loads((trained.out / "metrics.json").read_text())
    assert (trained.out / "classification_report.txt").read_text() in said
    assert f"evaluation: {figures['accuracy']:.2%} of 8 right" in said
    assert Bundle.load(trained.out).model_name in said
    assert f"FOODSORT_MODEL__BUNDLE={trained.out.resolve()}" in said


def test_a_brief_evaluation_writes_the_figures_alone_and_repeats_those_of_the_training(
    trained: Trained, tmp_path: Path
) -> None:
    words = ("evaluate", "--model", trained.out, "--data", trained.data, "--split", "evaluation")
    done = foodsort(*words, "--out", tmp_path / "brief", "--brief")
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "brief").iterdir()] == ["metrics.json"]
    figures = json.loads((tmp_path / "brief/metrics.json").read_text())
    assert set(figures) >= PROMISED
    before = Bundle.load(trained.out).card.metrics["evaluation"]
    assert set(before) - set(figures) == {"robustness", "engines"}
    for name, value in figures.items():
        assert value == pytest.approx(before[name], abs=1e-5) if name.startswith("ece") else value == before[name]
    assert done.stdout.startswith(f"evaluation: {before['accuracy']:.2%} of 8 right, 95 % interval")


def test_an_evaluation_judges_the_split_and_engine_asked_for_and_writes_a_report(data: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--data", data, "--split", "training", "--engine", "scripted", "--out", tmp_path / "report")
    done = foodsort(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("training: 100.00% of 16 right")  # red is food to the scripted engine
    assert done.stdout.splitlines()[-1] == f"the report is in {tmp_path / 'report/report.html'}"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "classification_report.txt",
        "confusion_matrix.png",
        "metrics.json",
        "mistakes.csv",
        "precision_recall.svg",
        "reliability.svg",
        "report.html",
        "report.md",
        "risk_coverage.svg",
        "roc.svg",
        "unreadable.csv",
    }
    figures = json.loads((tmp_path / "report/metrics.json").read_text())
    assert figures["confusion"] == [[8, 0], [0, 8]]
    assert figures["robustness"]["grey"]["accuracy"] == 0.5
    text = (tmp_path / "report/report.md").read_text()
    assert "| training/1_cut.jpg |" in text
    assert str(data) not in text


def test_a_model_against_itself_has_no_photo_on_which_the_two_differ(data: Path, tmp_path: Path) -> None:
    itself = Bundle.load()
    words = (
        "evaluate",
        "--data",
        data,
        "--engine",
        "scripted",
        "--out",
        tmp_path / "report",
        "--against",
        itself.folder,
    )
    assert foodsort(*words).exit_code == 0
    compared = json.loads((tmp_path / "report/metrics.json").read_text())["against"]
    assert compared == {
        "first": itself.model_name,
        "second": itself.model_name,
        "n": 8,
        "accuracy": [1.0, 1.0],
        "both": 8,
        "only_first": 0,
        "only_second": 0,
        "neither": 0,
        "p": 1.0,
        "largest_difference": 0.0,
    }
    page = (tmp_path / "report/report.html").read_text()
    assert "Against another" in page
    assert "Photos on which they differ" not in page
    assert foodsort(*words, "--brief").exit_code == 0
    assert json.loads((tmp_path / "report/metrics.json").read_text())["against"] == compared


def test_a_second_model_that_cannot_run_is_told_before_the_work(
    trained: Trained, plain: Bundle, tmp_path: Path
) -> None:
    words = ("--model", trained.out, "--data", trained.data, "--engine", "openvino", "--against", plain.folder)
    assert isinstance(foodsort("evaluate", *words, "--out", tmp_path / "report").exception, EngineError)
    assert not (tmp_path / "report").exists()


def test_an_evaluation_of_a_trained_model_compares_its_engines_and_explains_its_mistakes(
    trained: Trained, tmp_path: Path
) -> None:
    turned = tmp_path / "turned/evaluation"  # every label the wrong one, so that there are mistakes
    turned.mkdir(parents=True)
    for path in (trained.data / "evaluation").iterdir():
        (turned / f"{1 - int(path.name[0])}{path.name[1:]}").write_bytes(path.read_bytes())
    done = foodsort("evaluate", "--model", trained.out, "--data", turned.parent, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "report/metrics.json").read_text())
    wrong = figures["confusion"][0][1] + figures["confusion"][1][0]
    assert wrong > 0
    page = (tmp_path / "report/report.html").read_text()
    assert page.count("Class activation map of ") == wrong
    compared = figures["engines"]
    assert compared["first"].startswith("tensorflow")
    assert compared["second"].startswith("openvino int8")
    assert compared["second"] in html.unescape(page)  # and with it the processor's name
    assert compared["n"] == 8
    assert 0 < compared["largest_difference"] < 0.5


def test_an_evaluation_needs_no_other_split(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/evaluation").symlink_to(data / "evaluation")
    done = foodsort(
        "evaluate", "--data", tmp_path / "data", "--engine", "scripted", "--out", tmp_path / "out", "--brief"
    )
    assert done.exit_code == 0, done.output


def test_suspects_are_written_for_a_person_to_decide_and_never_twice(trained: Trained, tmp_path: Path) -> None:
    words = ("suspects", "--model", trained.out, "--data", trained.data, "--out", tmp_path / "out")
    done = foodsort(*words)
    assert done.exit_code == 0, done.output
    rows = (tmp_path / "out/suspects.csv").read_text().splitlines()
    assert rows[0] == "path,label,suggested,p_food,score"
    assert done.stdout.startswith(f"{len(rows) - 1} suspects in {tmp_path / 'out/suspects.csv'}\n")
    assert isinstance(foodsort(*words).exception, FoodsortError)


def test_a_list_to_drop_that_does_not_fit_the_data_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("path\ntraining/1_99.jpg\n")
    done = foodsort("train", "--data", data, "--out", tmp_path / "out", "--drop", tmp_path / "drop.csv")
    assert isinstance(done.exception, DatasetError)
    assert "drop.csv, line 2: 'training/1_99.jpg' is not in" in str(done.exception)


def test_errors_are_of_the_kind_that_the_command_line_explains(data: Path, plain: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words, kind in (
        (("evaluate", "--data", tmp_path), DatasetError),
        (("evaluate", "--data", data, "--model", tmp_path), BundleError),
        (("evaluate", "--data", data, "--against", tmp_path), BundleError),
        (("evaluate", "--data", data, "--model", plain.folder, "--engine", "openvino"), EngineError),
        (("train", "--data", tmp_path), DatasetError),
    ):
        assert isinstance(foodsort(*words, "--out", out).exception, kind)
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--split", "holiday"),
        ("evaluate", "--engine", "onnx"),
        ("train", "--epochs", "-1"),
        ("train", "--epochs", "many"),
        ("judge",),
    ],
)
def test_words_that_mean_nothing_are_refused(data: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = foodsort(*words, "--data", data, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_run_as_a_module_it_says_what_is_wrong_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["training", "evaluate", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        runpy.run_module("training", run_name="__main__")
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"foodsort: {tmp_path / 'nowhere'} is not there; --data names")
    assert said.count("\n") == 1


def test_a_disk_that_refuses_is_told_without_a_traceback(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words = ["training", "evaluate", "--data", str(data), "--engine", "scripted", "--out", str(tmp_path / "file/out")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        runpy.run_module("training", run_name="__main__")
    assert end.value.code == 1
    assert capsys.readouterr().err.endswith(f"foodsort: Not a directory: {tmp_path / 'file/out'}\n")
