"""The plot of errors by the number of labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.chart import LIMIT_COLOUR, OTHER_COLOUR, OUR_COLOUR

_STYLES = {"teach": ("chosen by Teach", OUR_COLOUR), "random": ("random", LIMIT_COLOUR)}


def curves(path: Path, counts: Sequence[int], errors: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Draws the errors of each seed, thin, and their means, as SVG.

    Args:
        path: The file.
        counts: Numbers of labels.
        errors: By the way in which photos are chosen, for each seed, the error at each number.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for way, by_seed in errors.items():
        name, colour = _STYLES[way]
        values = 100 * np.array(by_seed)
        for row in values:
            axes.plot(counts, row, color=colour, alpha=0.18, linewidth=1)
        axes.plot(counts, values.mean(axis=0), color=colour, linewidth=2.2, marker="o", label=f"{name}, mean")
    start = float(100 * np.mean([row[0] for row in next(iter(errors.values()))]))
    axes.axhline(start / 2, color=OTHER_COLOUR, linestyle="--", linewidth=1, label="half of the start")
    axes.set_xlabel("answers of the person")
    axes.set_ylabel("wrong among the person's other photos, %")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with mpl.rc_context({"svg.hashsalt": "foodsort"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
