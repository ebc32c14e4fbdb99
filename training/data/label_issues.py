"""Label issues: training photos whose label is probably wrong. A person decides about each of them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from rich.console import Console
from rich.progress import Progress
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from models import resnet50
from models.bundle import Bundle
from models.decision import Floats
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.filenames import escape_name
from training.data import contact_sheet, dataset, manifest
from training.data.contact_sheet import Entry
from training.data.dataset import CLASSES, DatasetError
from training.fitting.disk import disk_full_errors
from training.fitting.features import Features, Labels, extract
from training.fitting.inference import compile_for_inference
from training.fitting.recipe import Recipe

TABLE = "suspects.csv"
SHEET = "suspects.png"
_FOLDS = 5
# With 60 labels flipped among the 3,000 of Food-5K's stand-in, 0.1 found 55 of them and had the lowest log-loss; 1 and
# 0.01 were worse.
_INVERSE_PENALTY = 0.1


def search(data: Path, out: Path, *, model: Path | None, seed: int, console: Console) -> pd.DataFrame:
    """Finds label issues among the training photos of a data set and writes them to a folder.

    Args:
        data: The data set.
        out: The folder, see `write`.
        model: The bundle whose backbone computes the features; the shipped one if None.
        seed: Seeds the folds.
        console: Shows the progress.

    Returns:
        The label issues, as from `find`.

    Raises:
        FoodsortError: `out` already has a table, which a person may have edited, or the bundle or the data set is
            invalid.
    """
    if (out / TABLE).exists():
        raise FoodsortError(f"{out / TABLE} already exists; name another folder with --out, or delete it")
    survey = dataset.survey(data, ("training",))
    frame = survey.photos
    for line in survey.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    bundle = Bundle.load(model)
    load_tensorflow()
    with Progress(console=console) as progress:
        backbone = compile_for_inference(resnet50.backbone(bundle.load_network()))
        features = extract(backbone, frame, Recipe(fit=bundle.card.fit), progress)
    unreadable_paths = {photo.path for photo in features.unreadable}
    readable = frame[~frame["path"].isin(unreadable_paths)].reset_index(drop=True)
    issues = find(readable, out_of_fold_probabilities(features.values, features.labels, seed))
    with disk_full_errors(out, "then run the command again"):
        write(out, issues, dataset.root(data))
    return issues


def out_of_fold_probabilities(features: Features, labels: Labels, seed: int) -> Floats:
    """Returns P(food) (n,) of each photo, by a logistic regression that has not seen the photo or its label.

    Args:
        features: (n, d).
        labels: (n,), 1 = food.
        seed: Seeds the folds.

    Raises:
        FoodsortError: A label has fewer than two photos.
    """
    folds = min(_FOLDS, *np.bincount(labels, minlength=2).tolist())
    if folds < 2:
        raise FoodsortError("finding label issues needs at least two readable photos of each label; add photos")
    probabilities = cross_val_predict(
        LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000),
        features,
        labels,
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        method="predict_proba",
    )
    return np.asarray(probabilities[:, 1], np.float64)


def find(frame: pd.DataFrame, p_food: Floats) -> pd.DataFrame:
    """Finds label issues by confident learning (Northcutt et al. 2021, by cleanlab).

    Args:
        frame: The photos, columns path and label.
        p_food: Their out-of-fold P(food) (n,).

    Returns:
        Columns path, label and suggested (1 = food), p_food, and score, the probability of the current label; the
        lowest score first.
    """
    labels = frame["label"].to_numpy()
    probabilities = np.column_stack([1 - p_food, p_food])
    issues = find_label_issues(labels, probabilities, n_jobs=1)  # more processes are slower below a million photos
    suggested = probabilities.argmax(axis=1)
    scores = get_label_quality_scores(labels, probabilities, method="self_confidence")
    table = frame[["path", "label"]].assign(suggested=suggested, p_food=p_food, score=scores)
    worst_first: pd.DataFrame = table[issues & (suggested != labels)].sort_values("score", kind="stable")
    return worst_first.reset_index(drop=True)


def write(out: Path, issues: pd.DataFrame, root: Path) -> None:
    """Writes `suspects.csv` and, if there are label issues, the contact sheet `suspects.png`.

    Args:
        out: The folder; it is made if it is missing.
        issues: As from `find`.
        root: The folder that paths in the table are relative to.
    """
    out.mkdir(parents=True, exist_ok=True)
    table = issues.assign(
        path=[escape_name(os.path.relpath(path, root)) for path in issues["path"]],
        label=[CLASSES[label] for label in issues["label"]],
        suggested=[CLASSES[label] for label in issues["suggested"]],
    )
    table.to_csv(out / TABLE, index=False, float_format="%.4f")
    entries = [
        Entry(path, title=f"{row.label} → {row.suggested}", detail=f"P(food) {row.p_food:.3f}", name=str(row.path))
        for path, row in zip(issues["path"], table.itertuples(), strict=True)
    ]
    if entries:
        contact_sheet.draw(out / SHEET, entries)


def drop(frame: pd.DataFrame, table: Path, data: Path | Sequence[Path]) -> pd.DataFrame:
    """Drops the training photos that a table lists.

    Args:
        frame: The photos of the data set, as from `dataset.read`.
        table: A table with a column path, relative to the data set's folder, such as `write` writes.
        data: The data set, or several.

    Returns:
        The rows of `frame` that the table does not list.

    Raises:
        DatasetError: A path is not in the data set or not in training; validation and evaluation have to be corrected
            by hand. The message names the line.
    """
    root = escape_name(os.path.abspath(dataset.root(data)))
    rows = {escape_name(os.path.abspath(path)): row for row, path in enumerate(frame["path"])}
    dropped = []
    for line, columns in manifest.read_rows(table, {"path"}):
        path = columns["path"]
        row = rows.get(os.path.normpath(Path(root) / path))
        if row is None:
            raise DatasetError(f"{table}, line {line}: {path!r} is not in {root}; delete the line")
        if (split := frame["split"].iloc[row]) != "training":
            raise DatasetError(f"{table}, line {line}: {path!r} is in {split}; only training photos can be dropped")
        dropped.append(row)
    return frame.drop(frame.index[dropped]).reset_index(drop=True)
