"""The sections on what a training learned about its own model: left-out sources, and the two looks."""

import numpy as np
import pandas as pd

from models.cascade import combine, needs_second_look
from models.filenames import escape_name
from models.intervals import wilson_interval
from training.evaluation.comparison import mcnemar
from training.evaluation.metrics import expected_calibration_error
from training.fitting.calibrate import cost, net_loss
from training.fitting.fit import FittedModel, LabelledLogits
from training.report import plots
from training.report.document import Section, SvgFigure, Table
from training.report.sections.formatting import percent, percent_interval, truncated_table

_MARGINS = 40
_MIN_PHOTOS = 20


def left_out_section(fitted: FittedModel) -> Section:
    """Shows how the model does on sources that it has not seen."""
    photos = fitted.left_out
    p_food = photos.p_food(fitted.cascade)
    frame = pd.DataFrame({"source": photos.sources, "food": photos.labels == 1, "p_food": p_food})
    frame["right"] = (frame["p_food"] >= fitted.thresholds.food) == frame["food"]
    count, right = len(frame), int(frame["right"].sum())
    ece = expected_calibration_error(p_food, photos.labels, fitted.thresholds.food)
    rows = []
    for source, group in sorted(frame.groupby("source"), key=lambda pair: -len(pair[1])):
        if len(group) < _MIN_PHOTOS:
            continue
        own = int(group["right"].sum())
        rows.append(
            [
                escape_name(str(source)) or "unknown",
                f"{len(group):,}",
                percent(own / len(group), 1),
                percent_interval(wilson_interval(own, len(group)), 1),
                f"{len(group) - own:,}",
                f"{_ece(group, fitted.thresholds.food):.3f}",
            ]
        )
    return Section(
        anchor="left-out",
        title="Sources left out",
        paragraphs=[
            f"Each of the {count:,} training photos was judged by heads that had seen no photo of its source: "
            f"{percent(right / count, 1)} are right ({percent_interval(wilson_interval(right, count), 1)}), and the "
            f"calibration error (ECE) is {ece:.4f}. The temperatures and the thresholds of unsure are fitted on these "
            f"photos. The table has the sources of at least {_MIN_PHOTOS} photos; the calibration error of few photos "
            "is too high by chance."
        ],
        tables=[truncated_table(["source", "photos", "accuracy", "95 % interval", "wrong", "ECE"], rows)],
    )


def cascade_section(fitted: FittedModel) -> Section | None:
    """Shows the cost and the mistakes by the margin of the small look; None without a cascade."""
    if fitted.cascade is None:
        return None
    sides = tuple(fitted.heads)
    margin = fitted.cascade.margin
    sets = {"validation": fitted.validation, "left-out sources": fitted.left_out}
    rows = [_row(name, photos, sides, margin) for name, photos in sets.items()]
    curves = {name: _curve(photos, sides, margin) for name, photos in sets.items()}
    return Section(
        anchor="cascade",
        title="Two looks",
        paragraphs=[
            f"The network looks at each photo at {sides[1]} px first, and again at {sides[0]} px where the absolute "
            f"value of the logit is below {margin:.2f}. The margin is the smallest with which at most one photo in a "
            "thousand is lost, net, against one look at the full side, on validation and on left-out sources. The cost "
            f"counts both looks; one look at {sides[0]} px costs 1."
        ],
        figures=[
            SvgFigure("cascade.svg", plots.svg(plots.cascade(curves)), "Mistakes by cost; the dots are the margin")
        ],
        tables=[
            Table(
                ["photos", "number", "second look", "cost", "wrong", "wrong with one look", "net loss", "McNemar's p"],
                rows,
            )
        ],
    )


def _row(name: str, photos: LabelledLogits, sides: tuple[int, ...], margin: float) -> list[str]:
    logits, labels = photos.logits, photos.labels
    again = needs_second_look(logits[:, 1], margin)
    food = labels == 1
    cascaded = (combine(logits, margin) >= 0) == food
    full = (logits[:, 0] >= 0) == food
    return [
        name,
        f"{len(labels):,}",
        percent(float(again.mean()), 1),
        f"{cost(float(again.mean()), sides[0], sides[1]):.2f}",
        f"{int((~cascaded).sum()):,}",
        f"{int((~full).sum()):,}",
        f"{net_loss(logits, labels, margin):+d}".replace("-", "−"),
        f"{mcnemar(full, cascaded).p:.2f}",
    ]


def _curve(photos: LabelledLogits, sides: tuple[int, ...], margin: float) -> list[plots.CascadePoint]:
    """The points of the curve; the first is that of the margin in use."""
    logits, labels = photos.logits, photos.labels
    alone = int(((logits[:, 0] >= 0) != (labels == 1)).sum())
    margins = [margin, *np.linspace(0, np.quantile(np.abs(logits[:, 1]), 0.9), _MARGINS)]
    return [
        plots.CascadePoint(
            cost=cost(float(needs_second_look(logits[:, 1], float(one)).mean()), sides[0], sides[1]),
            wrong=(alone + net_loss(logits, labels, float(one))) / len(labels),
        )
        for one in margins
    ]


def _ece(group: pd.DataFrame, threshold: float) -> float:
    return expected_calibration_error(group["p_food"].to_numpy(), group["food"].to_numpy().astype(int), threshold)
