"""A bar chart of the throughput: photos a second by competitor, one panel for each workload."""

import io

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.comparison import Comparison

OUR_COLOUR = "#b4490f"
OTHER_COLOUR = "#9aa5b1"
LIMIT_COLOUR = "#2563a8"


def draw(comparisons: dict[str, Comparison], title: str) -> str:
    """Draws the chart as SVG. A dashed line is the limit.

    Args:
        comparisons: The results by workload.
        title: Title of the chart.
    """
    rows = max(len(comparison.rates) for comparison in comparisons.values())
    figure = Figure(figsize=(9, 0.9 + 0.28 * rows), layout="constrained")
    panels = figure.subplots(1, len(comparisons), sharey=True, squeeze=False)[0]
    for axes, (workload, comparison) in zip(panels, comparisons.items(), strict=True):
        rates = comparison.rates
        limit = comparison.limit
        colours = [OUR_COLOUR if name.startswith("foodsort") else OTHER_COLOUR for name in rates]
        bars = axes.barh(list(rates), list(rates.values()), color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
        if limit:
            axes.axvline(limit, color=LIMIT_COLOUR, linestyle="--", linewidth=1)
        axes.set_xlim(0, 1.18 * max([1, *rates.values(), limit or 0]))
        axes.set_xlabel("photos a second" + (f"; limit {limit:.0f}" if limit else ""), fontsize=8)
        axes.set_title(workload, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    panels[0].invert_yaxis()
    figure.suptitle(title, fontsize=9, color="#52606d")
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "foodsort"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
