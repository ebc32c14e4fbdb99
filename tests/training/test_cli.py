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
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

REQUIRED = {"n", "accuracy", "accuracy_ci95", "precision", "recall", "f1", "roc_auc", "ece", "confusion", "threshold"}


def foodsort(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_train_prints_the_report_and_how_to_use_the_model(trained: Trained) -> None:
    assert trained.result.exit_code == 0, trained.result.output
    output = trained.result.stdout
    metrics = json.loads((trained.out / "metrics.json").read_text())
    assert (trained.out / "classification_report.txt").read_text() in output
    assert f"evaluation: accuracy {metrics['accuracy']:.2%} on 8 photos" in output
    assert Bundle.load(trained.out).model_name in output
    assert f"FOODSORT_MODEL__BUNDLE={trained.out.resolve()}" in output


def test_a_brief_evaluation_writes_only_the_metrics_and_they_equal_those_of_the_training(
    trained: Trained, tmp_path: Path
) -> None:
    arguments = ("evaluate", "--model", trained.out, "--data", trained.data, "--split", "evaluation")
    result = foodsort(*arguments, "--out", tmp_path / "brief", "--brief")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "brief").iterdir()] == ["metrics.json"]
    metrics = json.loads((tmp_path / "brief/metrics.json").read_text())
    assert set(metrics) >= REQUIRED
    before = Bundle.load(trained.out).card.metrics["evaluation"]
    assert set(before) - set(metrics) == {"robustness", "engines"}
    for name, value in metrics.items():
        assert value == pytest.approx(before[name], abs=1e-5) if name.startswith("ece") else value == before[name]
    assert result.stdout.startswith(f"evaluation: accuracy {before['accuracy']:.2%} on 8 photos, 95 % interval")


def test_an_evaluation_uses_the_given_split_and_engine_and_writes_a_report(data: Path, tmp_path: Path) -> None:
    arguments = (
        "evaluate",
        "--data",
        data,
        "--split",
        "training",
        "--engine",
        "scripted",
        "--out",
        tmp_path / "report",
    )
    result = foodsort(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("training: accuracy 100.00% on 16 photos")  # the scripted engine takes red for food
    assert result.stdout.splitlines()[-1] == f"the report is in {tmp_path / 'report/report.html'}"
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
    metrics = json.loads((tmp_path / "report/metrics.json").read_text())
    assert metrics["confusion"] == [[8, 0], [0, 8]]
    assert metrics["robustness"]["grey"]["accuracy"] == 0.5
    text = (tmp_path / "report/report.md").read_text()
    assert "| training/1_cut.jpg |" in text
    assert str(data) not in text


def test_a_model_compared_with_itself_has_no_differences(data: Path, tmp_path: Path) -> None:
    itself = Bundle.load()
    arguments = (
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
    assert foodsort(*arguments).exit_code == 0
    comparison = json.loads((tmp_path / "report/metrics.json").read_text())["against"]
    assert comparison == {
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
    assert "Comparison with another model" in page
    assert "Photos that A and B label differently" not in page
    assert foodsort(*arguments, "--brief").exit_code == 0
    assert json.loads((tmp_path / "report/metrics.json").read_text())["against"] == comparison


def test_a_second_model_that_cannot_run_fails_before_the_evaluation(
    trained: Trained, plain: Bundle, tmp_path: Path
) -> None:
    arguments = ("--model", trained.out, "--data", trained.data, "--engine", "openvino", "--against", plain.folder)
    assert isinstance(foodsort("evaluate", *arguments, "--out", tmp_path / "report").exception, EngineError)
    assert not (tmp_path / "report").exists()


def test_an_evaluation_of_a_trained_model_compares_its_engines_and_explains_its_mistakes(
    trained: Trained, tmp_path: Path
) -> None:
    flipped = tmp_path / "flipped/evaluation"  # every label is wrong, so that there are mistakes
    flipped.mkdir(parents=True)
    for path in (trained.data / "evaluation").iterdir():
        (flipped / f"{1 - int(path.name[0])}{path.name[1:]}").write_bytes(path.read_bytes())
    result = foodsort("evaluate", "--model", trained.out, "--data", flipped.parent, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "report/metrics.json").read_text())
    wrong = metrics["confusion"][0][1] + metrics["confusion"][1][0]
    assert wrong > 0
    page = (tmp_path / "report/report.html").read_text()
    assert page.count("Class activation map of ") == wrong
    comparison = metrics["engines"]
    assert comparison["first"].startswith("tensorflow")
    assert comparison["second"].startswith("openvino int8")
    assert comparison["second"] in html.unescape(page)  # which includes the name of the processor
    assert comparison["n"] == 8
    assert 0 < comparison["largest_difference"] < 0.5


def test_an_evaluation_needs_no_other_split(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/evaluation").symlink_to(data / "evaluation")
    result = foodsort(
        "evaluate", "--data", tmp_path / "data", "--engine", "scripted", "--out", tmp_path / "out", "--brief"
    )
    assert result.exit_code == 0, result.output


def test_suspects_are_written_for_a_person_and_never_overwritten(trained: Trained, tmp_path: Path) -> None:
    arguments = ("suspects", "--model", trained.out, "--data", trained.data, "--out", tmp_path / "out")
    result = foodsort(*arguments)
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "out/suspects.csv").read_text().splitlines()
    assert rows[0] == "path,label,suggested,p_food,score"
    assert result.stdout.startswith(f"{len(rows) - 1} suspects in {tmp_path / 'out/suspects.csv'}\n")
    assert isinstance(foodsort(*arguments).exception, FoodsortError)


def test_a_table_to_drop_that_does_not_match_the_data_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("path\ntraining/1_99.jpg\n")
    result = foodsort("train", "--data", data, "--out", tmp_path / "out", "--drop", tmp_path / "drop.csv")
    assert isinstance(result.exception, DatasetError)
    assert "drop.csv, line 2: 'training/1_99.jpg' is not in" in str(result.exception)


def test_errors_have_a_message_of_the_command_line(data: Path, plain: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments, kind in (
        (("evaluate", "--data", tmp_path), DatasetError),
        (("evaluate", "--data", data, "--model", tmp_path), BundleError),
        (("evaluate", "--data", data, "--against", tmp_path), BundleError),
        (("evaluate", "--data", data, "--model", plain.folder, "--engine", "openvino"), EngineError),
        (("train", "--data", tmp_path), DatasetError),
    ):
        assert isinstance(foodsort(*arguments, "--out", out).exception, kind)
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--split", "holiday"),
        ("evaluate", "--engine", "onnx"),
        ("train", "--epochs", "-1"),
        ("train", "--epochs", "many"),
        ("judge",),
    ],
)
def test_invalid_arguments_are_refused(data: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = foodsort(*arguments, "--data", data, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_as_a_module_an_error_is_one_line_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["training", "evaluate", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_module("training", run_name="__main__")
    assert exit_info.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith(f"foodsort: {tmp_path / 'nowhere'} does not exist; --data names")
    assert message.count("\n") == 1


def test_an_error_of_the_disk_is_shown_without_a_traceback(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    arguments = [
        "training",
        "evaluate",
        "--data",
        str(data),
        "--engine",
        "scripted",
        "--out",
        str(tmp_path / "file/out"),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_module("training", run_name="__main__")
    assert exit_info.value.code == 1
    assert capsys.readouterr().err.endswith(f"foodsort: Not a directory: {tmp_path / 'file/out'}\n")
