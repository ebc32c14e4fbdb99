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
from training.data.label_issues import drop, find, out_of_fold, search, write

TURNED = [5, 40, 111, 150]


def features(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Two clouds far apart, one a label, in 16 dimensions."""
    noise = np.random.default_rng(1).normal(0, 1, (len(labels), 16))
    return np.asarray(noise + 3 * labels[:, None], np.float32)


@pytest.fixture
def noisy() -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """200 training photos, four of them with the label of the other class, and their features."""
    labels = np.tile([0, 1], 100)
    values = features(labels)
    labels[TURNED] = 1 - labels[TURNED]
    paths = [f"data/training/{number}.png" for number in range(200)]
    return pd.DataFrame({"path": paths, "label": labels, "split": "training", "source": ""}), values


def test_labels_that_were_turned_round_are_suspects_and_no_others(
    noisy: tuple[pd.DataFrame, npt.NDArray[np.float32]],
) -> None:
    frame, values = noisy
    p_food = out_of_fold(values, frame["label"].to_numpy(), seed=1)
    found = find(frame, p_food)
    assert list(found.columns) == ["path", "label", "suggested", "p_food", "score"]
    assert set(found["path"]) == {f"data/training/{number}.png" for number in TURNED}
    assert (found["suggested"] == 1 - found["label"]).all()
    assert found["score"].is_monotonic_increasing
    assert found["score"].to_numpy() == pytest.approx(
        np.where(found["label"] == 1, found["p_food"], 1 - found["p_food"])
    )


def test_a_photo_that_the_model_only_leans_on_is_no_suspect() -> None:
    labels = np.tile([0, 1], 50)
    p_food = np.where(labels == 1, 0.97, 0.03)
    p_food[[0, 1, 2]] = [0.55, 0.45, 0.99]  # less sure of the other label than it is of that label's photos at the mean
    frame = pd.DataFrame({"path": [str(number) for number in range(100)], "label": labels})
    assert find(frame, p_food)["path"].tolist() == ["2"]


def test_a_photo_is_judged_by_a_model_that_has_not_seen_its_label() -> None:
    labels = np.tile([0, 1], 100)
    values = np.random.default_rng(1).normal(0, 1, (200, 400)).astype(np.float32)  # enough to learn any label by heart
    p_food = out_of_fold(values, labels, seed=1)
    assert ((p_food >= 0.5) == (labels == 1)).mean() < 0.65


def test_the_seed_decides_the_folds() -> None:
    labels = np.tile([0, 1], 30)
    values = features(labels)
    assert np.array_equal(out_of_fold(values, labels, 1), out_of_fold(values, labels, 1))
    assert not np.array_equal(out_of_fold(values, labels, 1), out_of_fold(values, labels, 2))


def test_few_photos_make_fewer_folds_and_too_few_an_error() -> None:
    assert len(out_of_fold(features(np.array([0, 0, 1, 1])), np.array([0, 0, 1, 1]), 1)) == 4
    with pytest.raises(FoodsortError, match="at least two readable photos of each label"):
        out_of_fold(features(np.array([0, 0, 1])), np.array([0, 0, 1]), 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data/training").mkdir(parents=True)
    (tmp_path / "data/evaluation").mkdir()
    return tmp_path / "data"


def framed(folder: Path, *names: str) -> pd.DataFrame:
    """A photo a name, `split/label_id`, with a file of its own."""
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


def suspected(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["path", "label"]].assign(suggested=1 - frame["label"], p_food=0.25, score=0.123456)


def test_what_was_written_can_be_dropped_whatever_the_names_hold(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [os.fsdecode(name) for name in (b'training/1_a,"b\n.png', b"training/0_\\x0a.png", b"training/1_\xff.png")]
    frame = framed(folder, "training/0_a.png", *odd, "evaluation/1_a.png")
    write(tmp_path / "out", suspected(frame.iloc[1:4].reset_index(drop=True)), folder)
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
    left = drop(frame, tmp_path / "out/suspects.csv", folder)
    assert left["path"].tolist() == [str(folder / "training/0_a.png"), str(folder / "evaluation/1_a.png")]
    assert left.index.tolist() == [0, 1]
    monkeypatch.chdir(tmp_path)  # the data set named by another path
    relative = frame.assign(path=[os.path.relpath(path) for path in frame["path"]])
    assert len(drop(relative, tmp_path / "out/suspects.csv", Path("data"))) == 2


def test_no_suspects_are_an_empty_table_and_no_sheet(folder: Path, tmp_path: Path) -> None:
    frame = framed(folder, "training/0_a.png")
    write(tmp_path / "out", suspected(frame).iloc[:0], folder)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["suspects.csv"]
    assert len(drop(frame, tmp_path / "out/suspects.csv", folder)) == 1


def test_a_list_may_be_written_by_hand(folder: Path, tmp_path: Path) -> None:
    frame = framed(folder, "training/0_a.png", "training/1_a.png")
    (tmp_path / "mine.tsv").write_text(f"why\tpath\nblurred\t./training/0_a.png\nagain\t{folder}/training/0_a.png\n")
    assert drop(frame, tmp_path / "mine.tsv", folder)["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("training/0_b.png", r"line 3: 'training/0_b\.png' is not in .*data; delete the line"),
        ("evaluation/1_a.png", r"line 3: 'evaluation/1_a\.png' is in evaluation; only training photos are dropped"),
    ],
)
def test_a_path_that_cannot_be_dropped_is_named(folder: Path, tmp_path: Path, path: str, says: str) -> None:
    frame = framed(folder, "training/0_a.png", "evaluation/1_a.png")
    (tmp_path / "mine.csv").write_text(f"path\ntraining/0_a.png\n{path}\n")
    with pytest.raises(DatasetError, match=rf"mine\.csv, {says}"):
        drop(frame, tmp_path / "mine.csv", folder)


def test_a_list_without_paths_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("name\na.png\n")
    with pytest.raises(DatasetError, match=r"mine\.csv, line 1 must name the columns; missing: path"):
        drop(framed(folder, "training/0_a.png"), tmp_path / "mine.csv", folder)


def test_a_table_that_a_person_may_have_worked_through_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "suspects.csv").write_text("path\n")
    with pytest.raises(FoodsortError, match=r"suspects\.csv is there already; name another folder with --out"):
        search(folder, tmp_path, None, 1, Console(quiet=True))
