"""What a training or an evaluation leaves for people to read: figures, classification report, confusion matrix."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay, classification_report

from models.decision import Floats
from models.names import shown
from training.dataset import CLASSES
from training.features import Labels, Unreadable
from training.metrics import metrics


def write(
    out: Path, split: str, p_food: Floats, labels: Labels, threshold: float, *, brief: bool = False
) -> dict[str, Any]:
    """Writes `metrics.json` and, unless brief, `classification_report.txt` and `confusion_matrix.png`; returns the figures."""
    out.mkdir(parents=True, exist_ok=True)
    figures = metrics(p_food, labels, threshold)
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    if not brief:
        (out / "classification_report.txt").write_text(classification(p_food, labels, threshold))
        draw_confusion(out / "confusion_matrix.png", figures, split)
    return figures


def classification(p_food: Floats, labels: Labels, threshold: float) -> str:
    """scikit-learn's classification report as text."""
    predicted = (p_food >= threshold).astype(int)
    return str(
        classification_report(labels, predicted, labels=[0, 1], target_names=CLASSES, digits=4, zero_division=0.0)
    )


def draw_confusion(path: Path, figures: dict[str, Any], split: str) -> None:
    """Draws the confusion matrix, counts in the cells, accuracy and its interval above, as a PNG."""
    from matplotlib.figure import Figure  # the object interface: no display, no global state

    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    matrix = np.array(figures["confusion"])
    ConfusionMatrixDisplay(matrix, display_labels=CLASSES).plot(ax=axes, cmap="Blues", colorbar=False)
    low, high = figures["accuracy_ci95"]
    axes.set_title(
        f"{split}: {figures['n']} photos, {figures['accuracy']:.1%} right\n95 % interval {low:.1%} to {high:.1%}",
        fontsize=11,
    )
    figure.savefig(path, dpi=150)


def write_unreadable(out: Path, unreadable: list[Unreadable]) -> None:
    """Writes `unreadable.csv` (path, kind, message) when a picture was left out, and removes an older one otherwise."""
    if not unreadable:
        (out / "unreadable.csv").unlink(missing_ok=True)
    else:
        out.mkdir(parents=True, exist_ok=True)
        shown_safely = [one._replace(path=shown(one.path)) for one in unreadable]
        pd.DataFrame(shown_safely).to_csv(out / "unreadable.csv", index=False)
