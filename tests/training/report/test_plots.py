import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from training.evaluation import curves
from training.evaluation.curves import OperatingPoint
from training.evaluation.metrics import compute_metrics
from training.report import plots

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = np.array([1, 0, 1, 0, 1])


def texts(figure: Figure) -> str:
    """All text on a figure."""
    lines = []
    for axes in figure.axes:
        lines += [axes.get_xlabel(), axes.get_ylabel(), axes.get_title(), *(text.get_text() for text in axes.texts)]
        legend = axes.get_legend()
        lines += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(lines)


def goes_through(figure: Figure, line: int, *points: tuple[float, float]) -> bool:
    drawn = np.asarray(figure.axes[0].lines[line].get_xydata())
    return len(drawn) == len(points) and np.allclose(drawn, np.array(points).reshape(-1, 2))


def test_the_confusion_matrix_shows_the_counts_the_accuracy_and_its_interval() -> None:
    figure = plots.confusion(compute_metrics(P_FOOD, LABELS, 0.5), "validation")
    assert "validation: 5 photos, accuracy 60.0%\n95 % interval 23.1% to 88.2%" in texts(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "1", "2"]


def test_the_roc_curve_goes_through_its_points_and_marks_the_threshold() -> None:
    figure = plots.roc(P_FOOD, LABELS, 0.5)
    assert goes_through(figure, 0, (0, 0), (0, 1 / 3), (0.5, 1 / 3), (0.5, 2 / 3), (0.5, 1), (1, 1))
    assert goes_through(figure, 1, (0.5, 2 / 3))
    assert goes_through(plots.roc(P_FOOD, LABELS, 0.95), 1, (0, 0))


def test_the_precision_recall_curve_goes_through_its_points_and_marks_the_threshold() -> None:
    figure = plots.precision_recall(P_FOOD, LABELS, 0.5)
    assert goes_through(figure, 0, (1 / 3, 1), (1 / 3, 0.5), (2 / 3, 2 / 3), (1, 0.75), (1, 0.6))
    assert goes_through(figure, 1, (2 / 3, 2 / 3))
    assert goes_through(plots.precision_recall(P_FOOD, LABELS, 0.95), 1)  # nothing is called food


def test_only_a_good_model_has_an_inset_of_the_corner() -> None:
    good = plots.roc(np.linspace(0.01, 0.99, 40), np.repeat([0, 1], 20), 0.5)
    assert [len(figure.axes[0].child_axes) for figure in (good, plots.roc(P_FOOD, LABELS, 0.5))] == [1, 0]
    assert "threshold 0.50" in texts(good)


def test_the_reliability_diagram_has_both_curves_and_the_counts() -> None:
    before, after = curves.reliability_bins(P_FOOD, LABELS), curves.reliability_bins(P_FOOD**2, LABELS)
    figure = plots.reliability(before, after)
    assert "before calibration" in texts(figure)
    assert goes_through(figure, 1, *((one.mean_p_food, one.food_share) for one in before))
    assert goes_through(figure, 2, *((one.mean_p_food, one.food_share) for one in after))
    assert len(figure.axes[1].patches) == len(before) + len(after)


def test_the_risk_coverage_curve_marks_the_operating_point() -> None:
    figure = plots.risk_coverage(curves.risk_coverage(P_FOOD, LABELS, 0.5), OperatingPoint(0.4, 0.25))
    assert goes_through(figure, 1, (0.4, 0.25))
    assert "40.0% decided, 25.00% of them wrong" in texts(figure)


def test_the_history_has_a_panel_for_each_metric_of_both_splits() -> None:
    epochs = pd.DataFrame(
        {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0], "lr": [0.1, 0.1], "accuracy": 1, "val_accuracy": 1}
    )
    figure = plots.history(epochs)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert goes_through(figure, 0, (1, 2), (2, 1))
    assert goes_through(figure, 1, (1, 3), (2, 2))


def test_an_svg_is_the_same_each_time_and_needs_no_font_and_no_file() -> None:
    first, again = (plots.svg(plots.roc(P_FOOD, LABELS, 0.5)) for _ in range(2))
    assert first == again
    ET.fromstring(first)
    assert "<text" not in first
    assert not re.search(r'(?:href|src)="(?!#)', first)
