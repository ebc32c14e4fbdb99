"""The drawings of a report, each a matplotlib figure that can be saved as SVG or PNG."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # the object interface: no display, no global state
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay, precision_recall_curve, roc_curve

from models.decision import Floats
from training.data.dataset import CLASSES
from training.evaluation.curves import Bin, Decided
from training.fitting.features import Labels

_INK, _MUTED, _GRID = "#1f2a37", "#6b7280", "#e5e7eb"
_MODEL, _OTHER = "#b4490f", "#2563a8"
_SIZE = (4.6, 3.9)  # inches; on a phone of 390 px the letters are still 11 px high
_CLOSE = 0.3  # widest corner that is drawn closer; the curve of a weak model would run behind the small picture
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "legend.frameon": False,
    "svg.hashsalt": "foodsort",  # the same figures give the same file
}


def svg(figure: Figure) -> str:
    """The figure as SVG, letters as outlines: it looks the same whatever fonts are there."""
    file = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def confusion(figures: dict[str, Any], split: str) -> Figure:
    """The confusion matrix of `metrics.json`: counts in the cells, accuracy and its interval above."""
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    matrix = np.array(figures["confusion"])
    ConfusionMatrixDisplay(matrix, display_labels=CLASSES).plot(ax=axes, cmap="Blues", colorbar=False)
    low, high = figures["accuracy_ci95"]
    axes.set_title(
        f"{split}: {figures['n']} photos, {figures['accuracy']:.1%} right\n95 % interval {low:.1%} to {high:.1%}",
        fontsize=11,
    )
    return figure


def roc(p_food: Floats, labels: Labels, threshold: float) -> Figure:
    """The ROC curve of P(food), with the point of the threshold; labels of both classes are needed."""
    false_positives, true_positives, at = roc_curve(labels, p_food, drop_intermediate=False)
    return _curve(
        (false_positives, true_positives, at),
        threshold,
        ("share of non_food called food", "recall: share of food found"),
        good_x=0.0,
    )


def precision_recall(p_food: Floats, labels: Labels, threshold: float) -> Figure:
    """Precision over recall of P(food), with the point of the threshold; a photo of food is needed."""
    precision, recall, at = precision_recall_curve(labels, p_food)
    return _curve(
        (recall[:-1][::-1], precision[:-1][::-1], at[::-1]),  # the last point is a convention without a threshold
        threshold,
        ("recall: share of food found", "precision: food among what is called so"),
        good_x=1.0,
    )


def _curve(points: tuple[Floats, Floats, Floats], threshold: float, names: tuple[str, str], good_x: float) -> Figure:
    """A curve by falling thresholds and its chosen point; a good one also closer, at the corner (good_x, 1)."""
    x, y, at = points
    reached = int((at >= threshold).sum())  # none: the model is never that sure, and the curve has no such point
    off = max(abs(x[reached - 1] - good_x), 1 - y[reached - 1]) if reached else 1.0
    span = max(1.6 * off, 0.04)  # as close as the corner allows with the chosen point in view
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot(xlabel=names[0], ylabel=names[1], xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(f"● threshold {threshold:.2f}", fontsize=10)
        panels = [axes]
        if span <= _CLOSE:
            closer = axes.inset_axes((0.42 if good_x == 0 else 0.14, 0.14, 0.5, 0.5))
            edge = 0.04 * span
            closer.set(xlim=(-edge, span) if good_x == 0 else (1 - span, 1 + edge), ylim=(1 - span, 1 + edge))
            closer.tick_params(labelsize=8)
            axes.indicate_inset_zoom(closer, edgecolor=_MUTED)
            panels.append(closer)
        for panel in panels:
            panel.plot(x, y, color=_MODEL, linewidth=2)
            panel.plot(x[reached - 1 : reached], y[reached - 1 : reached], "o", color=_INK, markersize=6)
    return figure


def reliability(before: Sequence[Bin], after: Sequence[Bin]) -> Figure:
    """Share of food over mean P(food), before and after the temperature, and below it how many photos are in each bin."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], 4.6), layout="constrained")
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=":", label="as sure as it is right")
        _bins(axes, before, "before the temperature", color=_OTHER, marker="s")
        _bins(axes, after, "after it", color=_MODEL, marker="o")
        axes.set(ylabel="share that is food", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="lower right", fontsize=9)
        width = 0.018
        for bins, color, aside in ((before, _OTHER, -width / 2), (after, _MODEL, width / 2)):
            counts.bar([one.p_food + aside for one in bins], [one.n for one in bins], width, color=color)
        counts.set(xlabel="P(food)", ylabel="photos", yscale="log", ylim=(0.7, None))
        counts.yaxis.set_major_formatter("{x:.0f}")
        counts.yaxis.set_minor_formatter("")
    return figure


def _bins(axes: Axes, bins: Sequence[Bin], label: str, *, color: str, marker: str) -> None:
    below = [one.food - one.food_ci95[0] for one in bins]
    above = [one.food_ci95[1] - one.food for one in bins]
    axes.errorbar(
        [one.p_food for one in bins],
        [one.food for one in bins],
        yerr=np.clip([below, above], 0, None),  # Wilson's ends may miss 0 and 1 by a rounding error
        color=color,
        marker=marker,
        markersize=5,
        linestyle="none",  # a line between bins of a handful of photos would be noise
        elinewidth=1,
        label=label,
    )


def risk_coverage(curve: Sequence[Decided], chosen: Decided) -> Figure:
    """The share of wrong labels over the share of photos decided, with the point of the bundle's `unsure` thresholds."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot(xlabel="share of photos decided", ylabel="share wrong among them", xlim=(0, 1.02))
        axes.step([one.coverage for one in curve], [one.risk for one in curve], color=_MODEL, linewidth=2, where="post")
        axes.plot(*chosen, "o", color=_INK)
        axes.set_title(f"● {chosen.coverage:.1%} decided, {chosen.risk:.2%} of them wrong", fontsize=10)
        axes.set_ylim(0, max(1.05 * max(one.risk for one in curve), 0.01))
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def history(epochs: pd.DataFrame) -> Figure:
    """One panel for each figure that a training kept for validation too (columns `x` and `val_x`, one row an epoch)."""
    kept = [name for name in epochs.columns if f"val_{name}" in epochs.columns]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], 0.6 + 2.2 * len(kept)), layout="constrained")
        for axes, name in zip(figure.subplots(len(kept), 1, sharex=True, squeeze=False)[:, 0], kept, strict=True):
            epoch = np.arange(1, len(epochs) + 1)
            axes.plot(epoch, epochs[name], color=_OTHER, linestyle="--", label="training")
            axes.plot(epoch, epochs[f"val_{name}"], color=_MODEL, label="validation")
            axes.set_ylabel(name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=9)
        axes.set_xlabel("epoch")
    return figure
