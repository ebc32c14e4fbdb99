"""The chart: photos a second of each contestant, one part a workload."""

import io

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.standing import Standing

OURS, OTHERS, LIMIT = "#b4490f", "#9aa5b1", "#2563a8"


def draw(standings: dict[str, Standing], title: str) -> str:
    """SVG of the standings by workload; the limit of a workload is a line."""
    rows = max(len(standing.rates) for standing in standings.values())
    figure = Figure(figsize=(9, 0.9 + 0.28 * rows), layout="constrained")
    parts = figure.subplots(1, len(standings), sharey=True, squeeze=False)[0]
    for axes, (workload, standing) in zip(parts, standings.items(), strict=True):
        rates, limit = standing.photos_s, standing.limit
        colours = [OURS if name.startswith("foodsort") else OTHERS for name in rates]
        bars = axes.barh(list(rates), list(rates.values()), color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
        if limit:
            axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1)
        axes.set_xlim(0, 1.18 * max([1, *rates.values(), limit or 0]))
        axes.set_xlabel("photos a second" + (f"; limit {limit:.0f}" if limit else ""), fontsize=8)
        axes.set_title(workload, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    parts[0].invert_yaxis()
    figure.suptitle(title, fontsize=9, color="#52606d")
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "foodsort"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
