"""The plots of a report, each a matplotlib figure that can be saved as SVG or PNG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # the object interface: no display, no global state
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay, precision_recall_curve, roc_curve

from models.decision import Floats
from training.data.dataset import CLASSES
from training.evaluation.curves import OperatingPoint, ReliabilityBin
from training.evaluation.metrics import Metrics
from training.fitting.features import Labels

_TEXT_COLOUR = "#1f2a37"
_MUTED_COLOUR = "#6b7280"
_GRID_COLOUR = "#e5e7eb"
_MODEL_COLOUR = "#b4490f"
_OTHER_COLOUR = "#2563a8"
_SIZE = (4.6, 3.9)  # inches; letters are still 11 px high on a phone of 390 px
_MAX_INSET_SPAN = 0.3  # largest corner shown in an inset; the curve of a weak model would run behind the inset
_MIN_INSET_SPAN = 0.04
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "text.color": _TEXT_COLOUR,
    "axes.edgecolor": _MUTED_COLOUR,
    "axes.labelcolor": _TEXT_COLOUR,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID_COLOUR,
    "xtick.color": _MUTED_COLOUR,
    "ytick.color": _MUTED_COLOUR,
    "legend.frameon": False,
    "svg.hashsalt": "foodsort",  # the same data give the same file
}


def svg(figure: Figure) -> str:
    """Returns the figure as SVG. Letters are outlines, so it does not depend on the fonts of the reader."""
    file = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def confusion(metrics: Metrics, split: str) -> Figure:
    """Plots the confusion matrix with counts in its cells, and the accuracy with its interval above."""
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    matrix = np.array(metrics["confusion"])
    ConfusionMatrixDisplay(matrix, display_labels=CLASSES).plot(ax=axes, cmap="Blues", colorbar=False)
    low, high = metrics["accuracy_ci95"]
    axes.set_title(
        f"{split}: {metrics['n']} photos, accuracy {metrics['accuracy']:.1%}\n95 % interval {low:.1%} to {high:.1%}",
        fontsize=11,
    )
    return figure


def roc(p_food: Floats, labels: Labels, threshold: float) -> Figure:
    """Plots the ROC curve of P(food) with the operating point at the threshold; both labels are needed."""
    false_positive_rate, true_positive_rate, thresholds = roc_curve(labels, p_food, drop_intermediate=False)
    figure, axes = _curve_axes("false positive rate: share of non_food called food", "recall: share of food found")
    _draw_curve(
        axes,
        x=false_positive_rate,
        y=true_positive_rate,
        marked=_last_reached(thresholds, threshold),
        threshold=threshold,
        perfect_x=0.0,
    )
    return figure


def precision_recall(p_food: Floats, labels: Labels, threshold: float) -> Figure:
    """Plots the precision–recall curve of P(food) with the operating point at the threshold; food is needed."""
    precision, recall, thresholds = precision_recall_curve(labels, p_food)
    figure, axes = _curve_axes("recall: share of food found", "precision: share of food among photos called food")
    _draw_curve(
        axes,
        x=recall[:-1][::-1],  # without the last point, which is a convention and has no threshold
        y=precision[:-1][::-1],
        marked=_last_reached(thresholds[::-1], threshold),
        threshold=threshold,
        perfect_x=1.0,
    )
    return figure


def _last_reached(falling_thresholds: Floats, threshold: float) -> int | None:
    """Returns the index of the operating point; None if the model's P(food) is always below the threshold."""
    reached = int((falling_thresholds >= threshold).sum())
    return reached - 1 if reached else None


def _curve_axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot(xlabel=x_label, ylabel=y_label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure, axes


def _draw_curve(axes: Axes, *, x: Floats, y: Floats, marked: int | None, threshold: float, perfect_x: float) -> None:
    """Draws a curve and its marked point; for a good model an inset shows the corner (perfect_x, 1)."""
    with mpl.rc_context(_STYLE):
        axes.set_title(f"● threshold {threshold:.2f}", fontsize=10)
        panels = [axes]
        distance = 1.0 if marked is None else max(abs(x[marked] - perfect_x), 1 - y[marked])
        span = max(1.6 * distance, _MIN_INSET_SPAN)  # as close as possible with the marked point inside
        if span <= _MAX_INSET_SPAN:
            panels.append(_corner_inset(axes, span, perfect_x))
        for panel in panels:
            panel.plot(x, y, color=_MODEL_COLOUR, linewidth=2)
            points = slice(0, 0) if marked is None else slice(marked, marked + 1)
            panel.plot(x[points], y[points], "o", color=_TEXT_COLOUR, markersize=6)


def _corner_inset(axes: Axes, span: float, perfect_x: float) -> Axes:
    inset = axes.inset_axes((0.42 if perfect_x == 0 else 0.14, 0.14, 0.5, 0.5))
    margin = 0.04 * span
    x_limits = (-margin, span) if perfect_x == 0 else (1 - span, 1 + margin)
    inset.set(xlim=x_limits, ylim=(1 - span, 1 + margin))
    inset.tick_params(labelsize=8)
    axes.indicate_inset_zoom(inset, edgecolor=_MUTED_COLOUR)
    return inset


def reliability(before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin]) -> Figure:
    """Plots the share of food over the mean P(food), before and after calibration, and a histogram below."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], 4.6), layout="constrained")
        axes, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], color=_MUTED_COLOUR, linewidth=1, linestyle=":", label="perfect calibration")
        _draw_bins(axes, before, "before calibration", color=_OTHER_COLOUR, marker="s")
        _draw_bins(axes, after, "after calibration", color=_MODEL_COLOUR, marker="o")
        axes.set(ylabel="share that is food", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="lower right", fontsize=9)
        width = 0.018
        for bins, color, offset in ((before, _OTHER_COLOUR, -width / 2), (after, _MODEL_COLOUR, width / 2)):
            histogram.bar([one.mean_p_food + offset for one in bins], [one.photos for one in bins], width, color=color)
        histogram.set(xlabel="P(food)", ylabel="photos", yscale="log", ylim=(0.7, None))
        histogram.yaxis.set_major_formatter("{x:.0f}")
        histogram.yaxis.set_minor_formatter("")
    return figure


def _draw_bins(axes: Axes, bins: Sequence[ReliabilityBin], label: str, *, color: str, marker: str) -> None:
    below = [one.food_share - one.food_share_ci95[0] for one in bins]
    above = [one.food_share_ci95[1] - one.food_share for one in bins]
    axes.errorbar(
        [one.mean_p_food for one in bins],
        [one.food_share for one in bins],
        yerr=np.clip([below, above], 0, None),  # the ends of Wilson's interval may miss 0 and 1 by a rounding error
        color=color,
        marker=marker,
        markersize=5,
        linestyle="none",  # a line between bins of a few photos would be noise
        elinewidth=1,
        label=label,
    )


def risk_coverage(curve: Sequence[OperatingPoint], marked: OperatingPoint) -> Figure:
    """Plots the share of wrong labels over the share of photos decided, and the point of the `unsure` thresholds."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot(
            xlabel="coverage: share of photos decided", ylabel="risk: share of wrong labels", xlim=(0, 1.02)
        )
        coverages = [point.coverage for point in curve]
        risks = [point.risk for point in curve]
        axes.step(coverages, risks, color=_MODEL_COLOUR, linewidth=2, where="post")
        axes.plot(marked.coverage, marked.risk, "o", color=_TEXT_COLOUR)
        axes.set_title(f"● {marked.coverage:.1%} decided, {marked.risk:.2%} of them wrong", fontsize=10)
        axes.set_ylim(0, max(1.05 * max(risks), 0.01))
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


class CascadePoint(NamedTuple):
    """A margin of the small look: the cost of a photo, and the share of photos with a wrong label."""

    cost: float
    wrong: float


def cascade(curves: Mapping[str, Sequence[CascadePoint]]) -> Figure:
    """Plots the share of wrong labels over the cost, for several sets of photos; the first point of each is marked."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot(xlabel="cost: 1 is one look at the full side", ylabel="share of wrong labels")
        for (name, points), colour in zip(curves.items(), (_MODEL_COLOUR, _OTHER_COLOUR), strict=False):
            axes.plot(
                [point.cost for point in points[1:]], [point.wrong for point in points[1:]], color=colour, label=name
            )
            axes.plot(points[0].cost, points[0].wrong, "o", color=colour)
        axes.set_ylim(0)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(fontsize=9)
    return figure


def history(epochs: pd.DataFrame) -> Figure:
    """Plots each metric that has a value for training and validation (columns `x` and `val_x`, one row an epoch)."""
    names = [name for name in epochs.columns if f"val_{name}" in epochs.columns]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], 0.6 + 2.2 * len(names)), layout="constrained")
        for axes, name in zip(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0], names, strict=True):
            epoch = np.arange(1, len(epochs) + 1)
            axes.plot(epoch, epochs[name], color=_OTHER_COLOUR, linestyle="--", label="training")
            axes.plot(epoch, epochs[f"val_{name}"], color=_MODEL_COLOUR, label="validation")
            axes.set_ylabel(name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=9)
        axes.set_xlabel("epoch")
    return figure
