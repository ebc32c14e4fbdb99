"""Photos whose label is probably wrong. A person decides which of them are."""

import os
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
from training.fitting.conversion import runner
from training.fitting.features import Features, Labels, extract
from training.fitting.recipe import Recipe

TABLE = "suspects.csv"
SHEET = "suspects.png"
_FOLDS = 5
# Of 60 labels turned round among the 3,000 of Food-5K's stand-in 55 were found, and log-loss was least; 1 and 0.01 did worse.
_INVERSE_PENALTY = 0.1


def search(data: Path, out: Path, model: Path | None, seed: int, console: Console) -> pd.DataFrame:
    """Looks for suspects among the training photos of `data` and writes them to `out`, see `write`; returns them.

    model: the bundle whose backbone gives the features; foodsort's own when None. Raises FoodsortError when `out` holds
    a table already (a person may have worked through it), or the bundle or the data set is not one.
    """
    if (out / TABLE).exists():
        raise FoodsortError(f"{out / TABLE} is there already; name another folder with --out, or delete it")
    frame = dataset.read(data, ("training",))
    bundle = Bundle.load(model)
    load_tensorflow()
    with Progress(console=console) as progress:
        recipe = Recipe(fit=bundle.card.fit)
        seen = extract(runner(resnet50.backbone(bundle.load_network())), frame, recipe, progress)
    left_out = {one.path for one in seen.unreadable}
    readable = frame[~frame["path"].isin(left_out)].reset_index(drop=True)
    found = find(readable, out_of_fold(seen.values, seen.labels, seed))
    write(out, found, dataset.root(data))
    return found


def out_of_fold(features: Features, labels: Labels, seed: int) -> Floats:
    """P(food) (n,) of each photo by a logistic model on frozen features (n, d) that has not seen it or its label.

    Raises FoodsortError when a label has fewer than two photos.
    """
    folds = min(_FOLDS, *np.bincount(labels, minlength=2).tolist())
    if folds < 2:
        raise FoodsortError("suspects need at least two readable photos of each label; add photos")
    p_both = cross_val_predict(
        LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000),
        features,
        labels,
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        method="predict_proba",
    )
    return np.asarray(p_both[:, 1], np.float64)


def find(frame: pd.DataFrame, p_food: Floats) -> pd.DataFrame:
    """The rows of `frame` whose label confident learning doubts, given out-of-fold P(food) (n,); the worst first.

    Returns columns path, label and suggested (1 = food), p_food, score: the probability of the label as given.
    Northcutt et al. 2021, by cleanlab.
    """
    labels, p_both = frame["label"].to_numpy(), np.column_stack([1 - p_food, p_food])
    doubted = find_label_issues(labels, p_both, n_jobs=1)  # more processes cost more than they save below a million
    suggested = p_both.argmax(axis=1)
    scores = get_label_quality_scores(labels, p_both, method="self_confidence")
    table = frame[["path", "label"]].assign(suggested=suggested, p_food=p_food, score=scores)
    worst_first: pd.DataFrame = table[doubted & (suggested != labels)].sort_values("score", kind="stable")
    return worst_first.reset_index(drop=True)


def write(out: Path, found: pd.DataFrame, root: Path) -> None:
    """Writes `suspects.csv` (paths relative to `root`, labels by name) and, when there are any, the contact sheet.

    found: as from `find`. The folder `out` is made if missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    named = found.assign(
        path=[escape_name(os.path.relpath(path, root)) for path in found["path"]],
        label=[CLASSES[label] for label in found["label"]],
        suggested=[CLASSES[label] for label in found["suggested"]],
    )
    named.to_csv(out / TABLE, index=False, float_format="%.4f")
    entries = [
        Entry(path, f"{row.label} → {row.suggested}", f"P(food) {row.p_food:.3f}", str(row.path))
        for path, row in zip(found["path"], named.itertuples(), strict=True)
    ]
    if entries:
        contact_sheet.draw(out / SHEET, entries)


def drop(frame: pd.DataFrame, listed: Path, data: Path) -> pd.DataFrame:
    """`frame`, as read from `data`, without the training photos in the column `path` of the table `listed`.

    Paths are relative to the data set's folder, as `write` writes them. Raises DatasetError, naming the line, when a
    path is not in the data set or not in training: validation and evaluation are mended by hand, where it is seen.
    """
    root = escape_name(os.path.abspath(dataset.root(data)))
    rows = {escape_name(os.path.abspath(path)): row for row, path in enumerate(frame["path"])}
    gone = []
    for line, listing in manifest.rows(listed, {"path"}):
        row = rows.get(os.path.normpath(Path(root) / listing["path"]))
        if row is None:
            raise DatasetError(f"{listed}, line {line}: {listing['path']!r} is not in {data}; delete the line")
        if (split := frame["split"].iloc[row]) != "training":
            raise DatasetError(
                f"{listed}, line {line}: {listing['path']!r} is in {split}; only training photos are dropped"
            )
        gone.append(row)
    return frame.drop(frame.index[gone]).reset_index(drop=True)
