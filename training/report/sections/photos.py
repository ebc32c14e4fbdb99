"""Which photos the model gets wrong: the worst, disturbed ones, by source; and which it could not be shown."""

from pathlib import Path
from typing import Any

import pandas as pd

from models.filenames import escape_name
from models.intervals import wilson_interval
from training.evaluation.mistakes import TABLE, Sheet, relative
from training.evaluation.predictions import Judged
from training.evaluation.robustness import Row
from training.fitting.features import Unreadable
from training.report.document import Section, Table
from training.report.sections.numbers import first_rows, percent, percent_range

_DISTURBED = {
    "small": "96 px and back",
    "squeezed": "JPEG quality 20",
    "blurred": "blurred",
    "grey": "grey",
    "turned": "turned by 90°",
    "darker": "30 % darker",
    "centre": "middle half of each side",
}


def worst(sheet: Sheet, wrong: int) -> Section:
    """The cards of the worst mistakes."""
    if not wrong:
        return Section("mistakes", "Mistakes", words=["None."])
    which = "them all" if len(sheet.cards) == wrong else f"the {len(sheet.cards)} worst"
    words = [
        f"{wrong:,} photos get the wrong label; {TABLE} lists them. report.html shows {which} as the network sees them, "
        "the furthest on the wrong side first."
    ]
    if sheet.strongest is not None:
        words.append(
            "Beside each photo is its class activation map: what each place adds to the logit, to first order. Orange "
            f"speaks for food, blue against it; the colour is fullest from {sheet.strongest:.2g} of logit on, on all "
            "pictures alike."
        )
    return Section("mistakes", "Worst mistakes", words=words, cards=sheet.cards)


def disturbed(found: dict[str, Any], rows: list[Row]) -> Section:
    """What is right after each disturbance."""
    table = [["as they are", percent(found["accuracy"], 1), percent_range(found["accuracy_ci95"], 1), "", ""]]
    table += [
        [
            _DISTURBED[row.disturbance],
            percent(row.accuracy, 1),
            percent_range(row.accuracy_ci95, 1),
            f"{100 * (row.accuracy - found['accuracy']):+.1f}".replace("-", "−"),
            f"{row.changed:,}",
        ]
        for row in rows
    ]
    return Section(
        "robustness",
        "Robustness",
        words=[
            "The same photos, each disturbed at its own size before it is fitted to the network's square: the longer side "
            "scaled to 96 px and back, stored as JPEG of quality 20, blurred by 2 px at 320 px, without colour, turned by "
            "a quarter, 30 % darker, and the middle half of each side alone."
        ],
        tables=[Table(["photos", "right", "95 % interval", "points", "labels that change"], table)],
    )


def by_source(judged: Judged) -> Section | None:
    """Accuracy by source, the largest first; None when no source is known."""
    sources = judged.photos["source"]
    if (sources == "").all():
        return None
    photos = pd.DataFrame({"source": sources, "label": judged.labels, "right": ~judged.wrong})
    grouped = photos.groupby("source")[["label", "right"]].agg(["size", "sum"])
    rows = [
        [
            escape_name(str(source)) or "unknown",
            f"{row['label', 'size']:,}",
            percent(row["right", "sum"] / row["label", "size"], 1),
            percent_range(wilson_interval(int(row["right", "sum"]), int(row["label", "size"])), 1),
            f"{row['label', 'size'] - row['right', 'sum']:,}",
            percent(row["label", "sum"] / row["label", "size"], 0),
        ]
        for source, row in grouped.sort_values(("label", "size"), ascending=False, kind="stable").iterrows()
    ]
    return Section(
        "sources",
        "Sources",
        words=["A source with few photos says little: its interval is wide."],
        tables=[first_rows(["source", "photos", "right", "95 % interval", "wrong", "food"], rows)],
    )


def left_out(unreadable: list[Unreadable], root: Path) -> Section:
    """The photos that could not be read; their names are relative to `root`."""
    rows = [[relative(one.path, root), escape_name(one.message)] for one in unreadable]
    return Section("unreadable", "Left out", tables=[first_rows(["photo", "why"], rows, prose=True)])
