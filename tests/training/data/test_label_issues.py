import csv
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from models.errors import FoodsortError
from training.data.dataset import DatasetError
from training.data.label_issues import drop, find, out_of_fold_probabilities, search, write

FLIPPED = [5, 40, 111, 150]


def features(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """One cluster for each label, far apart, in 16 dimensions."""
    noise = np.random.default_rng(1).normal(0, 1, (len(labels), 16))
    return np.asarray(noise + 3 * labels[:, None], np.float32)


@pytest.fixture
def noisy() -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """200 training photos, four of them with the label of the other class, and their features."""
    labels = np.tile([0, 1], 100)
    values = features(labels)
    labels[FLIPPED] = 1 - labels[FLIPPED]
    paths = [f"data/training/{number}.png" for number in range(200)]
    return pd.DataFrame({"path": paths, "label": labels, "split": "training", "source": ""}), values


def test_exactly_the_flipped_labels_are_found(
    noisy: tuple[pd.DataFrame, npt.NDArray[np.float32]],
) -> None:
    frame, values = noisy
    p_food = out_of_fold_probabilities(values, frame["label"].to_numpy(), seed=1)
    issues = find(frame, p_food)
    assert list(issues.columns) == ["path", "label", "suggested", "p_food", "score"]
    assert set(issues["path"]) == {f"data/training/{number}.png" for number in FLIPPED}
    assert (issues["suggested"] == 1 - issues["label"]).all()
    assert issues["score"].is_monotonic_increasing
    assert issues["score"].to_numpy() == pytest.approx(
        np.where(issues["label"] == 1, issues["p_food"], 1 - issues["p_food"])
    )


def test_a_photo_with_low_confidence_in_the_other_label_is_no_issue() -> None:
    labels = np.tile([0, 1], 50)
    p_food = np.where(labels == 1, 0.97, 0.03)
    p_food[[0, 1, 2]] = [0.55, 0.45, 0.99]  # the first two are below the mean confidence in the other label
    frame = pd.DataFrame({"path": [str(number) for number in range(100)], "label": labels})
    assert find(frame, p_food)["path"].tolist() == ["2"]


def test_probabilities_come_from_a_model_that_has_not_seen_the_label() -> None:
    labels = np.tile([0, 1], 100)
    values = np.random.default_rng(1).normal(0, 1, (200, 400)).astype(np.float32)  # enough to learn any label by heart
    p_food = out_of_fold_probabilities(values, labels, seed=1)
    assert ((p_food >= 0.5) == (labels == 1)).mean() < 0.65


def test_the_seed_decides_the_folds() -> None:
    labels = np.tile([0, 1], 30)
    values = features(labels)
    assert np.array_equal(out_of_fold_probabilities(values, labels, 1), out_of_fold_probabilities(values, labels, 1))
    assert not np.array_equal(
        out_of_fold_probabilities(values, labels, 1), out_of_fold_probabilities(values, labels, 2)
    )


def test_few_photos_make_fewer_folds_and_too_few_an_error() -> None:
    assert len(out_of_fold_probabilities(features(np.array([0, 0, 1, 1])), np.array([0, 0, 1, 1]), 1)) == 4
    with pytest.raises(FoodsortError, match="at least two readable photos of each label"):
        out_of_fold_probabilities(features(np.array([0, 0, 1])), np.array([0, 0, 1]), 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data/training").mkdir(parents=True)
    (tmp_path / "data/evaluation").mkdir()
    return tmp_path / "data"


def framed(folder: Path, *names: str) -> pd.DataFrame:
    """One photo for each name, `split/label_id`, with a file."""
    for name in names:
        Image.new("RGB", (9, 9), (0, 90, 0)).save(folder / name, "PNG")
    return pd.DataFrame(
        {
            "path": [str(folder / name) for name in names],
            "label": [int(name.split("/")[1][0]) for name in names],
            "split": [name.split("/")[0] for name in names],
            "source": "",
        }
    )


def make_issues(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["path", "label"]].assign(suggested=1 - frame["label"], p_food=0.25, score=0.123456)


def test_a_written_table_can_be_dropped_with_any_names(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [os.fsdecode(name) for name in (b'training/1_a,"b\n.png', b"training/0_\\x0a.png", b"training/1_\xff.png")]
    frame = framed(folder, "training/0_a.png", *odd, "evaluation/1_a.png")
    write(tmp_path / "out", make_issues(frame.iloc[1:4].reset_index(drop=True)), folder)
    with (tmp_path / "out/suspects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "path": r'training/1_a,"b\x0a.png',
        "label": "food",
        "suggested": "non_food",
        "p_food": "0.2500",
        "score": "0.1235",
    }
    assert len(rows) == 3
    with Image.open(tmp_path / "out/suspects.png") as sheet:
        assert sheet.width > sheet.height
    remaining = drop(frame, tmp_path / "out/suspects.csv", folder)
    assert remaining["path"].tolist() == [str(folder / "training/0_a.png"), str(folder / "evaluation/1_a.png")]
    assert remaining.index.tolist() == [0, 1]
    monkeypatch.chdir(tmp_path)  # the data set is given by another path
    relative = frame.assign(path=[os.path.relpath(path) for path in frame["path"]])
    assert len(drop(relative, tmp_path / "out/suspects.csv", Path("data"))) == 2


def test_without_label_issues_the_table_is_empty_and_there_is_no_sheet(folder: Path, tmp_path: Path) -> None:
    frame = framed(folder, "training/0_a.png")
    write(tmp_path / "out", make_issues(frame).iloc[:0], folder)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["suspects.csv"]
    assert len(drop(frame, tmp_path / "out/suspects.csv", folder)) == 1


def test_a_handwritten_table_is_accepted(folder: Path, tmp_path: Path) -> None:
    frame = framed(folder, "training/0_a.png", "training/1_a.png")
    (tmp_path / "mine.tsv").write_text(f"why\tpath\nblurred\t./training/0_a.png\nagain\t{folder}/training/0_a.png\n")
    assert drop(frame, tmp_path / "mine.tsv", folder)["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("training/0_b.png", r"line 3: 'training/0_b\.png' is not in .*data; delete the line"),
        ("evaluation/1_a.png", r"line 3: 'evaluation/1_a\.png' is in evaluation; only training photos can be dropped"),
    ],
)
def test_a_path_that_cannot_be_dropped_is_named(folder: Path, tmp_path: Path, path: str, message: str) -> None:
    frame = framed(folder, "training/0_a.png", "evaluation/1_a.png")
    (tmp_path / "mine.csv").write_text(f"path\ntraining/0_a.png\n{path}\n")
    with pytest.raises(DatasetError, match=rf"mine\.csv, {message}"):
        drop(frame, tmp_path / "mine.csv", folder)


def test_a_table_without_paths_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("name\na.png\n")
    with pytest.raises(DatasetError, match=r"mine\.csv, line 1 must name the columns; missing: path"):
        drop(framed(folder, "training/0_a.png"), tmp_path / "mine.csv", folder)


def test_an_existing_table_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "suspects.csv").write_text("path\n")
    with pytest.raises(FoodsortError, match=r"suspects\.csv already exists; name another folder with --out"):
        search(folder, tmp_path, model=None, seed=1, console=Console(quiet=True))
