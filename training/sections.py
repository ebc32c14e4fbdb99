"""The chapters of a report, each from the figures that it tells."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import classification_report

from models.bundle import NETWORK, Bundle
from models.names import shown
from training import cost, curves, figures
from training.audit import Audit
from training.comparison import Comparison
from training.dataset import CLASSES
from training.features import Unreadable
from training.judged import Judged
from training.metrics import wilson
from training.mistakes import TABLE, Sheet, relative
from training.page import Drawing, Headline, Section, Table
from training.robustness import Row

_LISTED = 50  # rows of a table that is there to be read

_DISTURBED = {
    "small": "96 px and back",
    "squeezed": "JPEG quality 20",
    "blurred": "blurred",
    "grey": "grey",
    "turned": "turned by 90°",
    "darker": "30 % darker",
    "centre": "middle half of each side",
}


def headlines(found: dict[str, Any]) -> list[Headline]:
    """Accuracy, ROC AUC, calibration error and F1 of the contents of `metrics.json`."""
    return [
        Headline(_percent(found["accuracy"], 1), f"right, of {found['n']:,} photos", _range(found["accuracy_ci95"], 1)),
        Headline(_number(found["roc_auc"]), "ROC AUC", _plain_range(found["roc_auc_ci95"])),
        Headline(_number(found["f1"]), "F1 of food", _plain_range(found["f1_ci95"])),
        Headline(_number(found["ece"]), "calibration error (ECE)", _plain_range(found["ece_ci95"])),
    ]


def key_figures(judged: Judged, found: dict[str, Any], split: str) -> Section:
    """All figures with their intervals, the classification report, the confusion matrix."""
    rows = [
        ["accuracy", _percent(found["accuracy"], 2), _range(found["accuracy_ci95"], 2)],
        ["precision of food", _percent(found["precision"], 2), _range(found["precision_ci95"], 2)],
        ["recall of food", _percent(found["recall"], 2), _range(found["recall_ci95"], 2)],
        ["F1 of food", _number(found["f1"]), _plain_range(found["f1_ci95"])],
        ["ROC AUC", _number(found["roc_auc"]), _plain_range(found["roc_auc_ci95"])],
        ["calibration error (ECE)", _number(found["ece"]), _plain_range(found["ece_ci95"])],
        ["the same before the temperature", _number(found["ece_uncalibrated"]), ""],
    ]
    (true_negative, false_positive), (false_negative, true_positive) = found["confusion"]
    return Section(
        "figures",
        "Figures",
        words=[
            f"Of {found['n']:,} photos {false_positive + false_negative:,} get the wrong label: {false_positive:,} of "
            f"{true_negative + false_positive:,} others are called food, and {false_negative:,} of "
            f"{false_negative + true_positive:,} photos of food are missed. A photo is called food from "
            f"P(food) = {found['threshold']:.2f} on.",
            "Intervals are at 95 %: Wilson's for accuracy, percentiles of a bootstrap over the photos for the others. The "
            "calibration error is that of the confidence in the label, over 15 bins of equally many photos.",
        ],
        drawings=[
            Drawing(
                "confusion_matrix.png",
                figures.svg(figures.confusion(found, split)),
                f"Confusion matrix: {true_negative} of non_food and {true_positive} of food are right, "
                f"{false_positive} and {false_negative} are wrong.",
            )
        ],
        tables=[Table(["figure", "value", "95 % interval"], rows), _classification(judged)],
    )


def _classification(judged: Judged) -> Table:
    by_class: dict[str, Any] = classification_report(
        judged.labels,
        judged.p_food >= judged.threshold,
        labels=[0, 1],
        target_names=CLASSES,
        output_dict=True,
        zero_division=0.0,
    )
    names = ("precision", "recall", "f1-score")
    rows = [
        [one, *(f"{by_class[one][name]:.4f}" for name in names), f"{by_class[one]['support']:,.0f}"]
        for one in (*CLASSES, "macro avg", "weighted avg")
    ]
    return Table(["class", *names, "photos"], rows, "Classification report (scikit-learn)")


def ranking(judged: Judged) -> Section | None:
    """ROC and precision–recall curves; None when one label alone is there."""
    if len(set(judged.labels)) < 2:
        return None
    given = (judged.p_food, judged.labels, judged.threshold)
    return Section(
        "curves",
        "Curves",
        words=[
            "What other thresholds would give. The dot is the threshold in use; where there is a small "
            "picture, it shows the corner that a perfect model reaches."
        ],
        drawings=[
            Drawing("roc.svg", figures.svg(figures.roc(*given)), "ROC curve"),
            Drawing("precision_recall.svg", figures.svg(figures.precision_recall(*given)), "Precision–recall curve"),
        ],
    )


def sureness(judged: Judged, found: dict[str, Any]) -> Section:
    """Reliability before and after the temperature, and what setting unsure photos aside does."""
    card = judged.bundle.card
    chosen = curves.decided(judged.p_food, judged.labels, card.thresholds)
    before, after = (curves.reliability(p_food, judged.labels) for p_food in (judged.p_raw, judged.p_food))
    curve = curves.risk_coverage(judged.p_food, judged.labels, judged.threshold)
    return Section(
        "sureness",
        "Calibration",
        words=[
            f"A temperature of {card.temperature:.3f}, fitted on validation, makes probabilities of logits. It takes the "
            f"calibration error from {found['ece_uncalibrated']:.4f} to {found['ece']:.4f}. Where the points lie on the "
            "dotted line, as many photos are food as the model says; the bars are Wilson's intervals.",
            f"With a folder for unsure photos (P(food) strictly between {card.thresholds.unsure_low:.4f} and "
            f"{card.thresholds.unsure_high:.4f}), {_percent(1 - chosen.coverage, 1)} are set aside, and of the others "
            f"{_percent(chosen.risk, 2)} get the wrong label.",
        ],
        drawings=[
            Drawing(
                "reliability.svg",
                figures.svg(figures.reliability(before, after)),
                "Reliability diagram, and below it how many photos have such a probability",
            ),
            Drawing(
                "risk_coverage.svg",
                figures.svg(figures.risk_coverage(curve, chosen)),
                "Risk over coverage, the least sure photos set aside first; the dot is the bundle's choice",
            ),
        ],
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
            shown(str(source)) or "unknown",
            f"{row['label', 'size']:,}",
            _percent(row["right", "sum"] / row["label", "size"], 1),
            _range(wilson(int(row["right", "sum"]), int(row["label", "size"])), 1),
            f"{row['label', 'size'] - row['right', 'sum']:,}",
            _percent(row["label", "sum"] / row["label", "size"], 0),
        ]
        for source, row in grouped.sort_values(("label", "size"), ascending=False, kind="stable").iterrows()
    ]
    return Section(
        "sources",
        "Sources",
        words=["A source with few photos says little: its interval is wide."],
        tables=[_cut(["source", "photos", "right", "95 % interval", "wrong", "food"], rows)],
    )


def disturbed(found: dict[str, Any], rows: list[Row]) -> Section:
    """What is right after each disturbance."""
    table = [["as they are", _percent(found["accuracy"], 1), _range(found["accuracy_ci95"], 1), "", ""]]
    table += [
        [
            _DISTURBED[row.disturbance],
            _percent(row.accuracy, 1),
            _range(row.accuracy_ci95, 1),
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
            "Beside each photo is its class activation map: what each place adds to the logit. Orange speaks for food, blue "
            f"against it; the colour is fullest from {sheet.strongest:.2g} of logit on, on all pictures alike."
        )
    return Section("mistakes", "Worst mistakes", words=words, cards=sheet.cards)


def against(found: Comparison, root: Path) -> Section:
    """A second bundle over the same photos, whose names are relative to `root`."""
    test = found.test
    columns = (found.differing[name] for name in ("path", "label", "p_first", "p_second"))
    differing = [
        [relative(path, root), CLASSES[label], f"{this:.3f}", f"{that:.3f}"]
        for path, label, this, that in zip(*columns, strict=True)
    ]
    return Section(
        "against",
        "Against another",
        words=[
            f"This: {found.first}. That: {found.second}. On {found.n:,} photos this is right on "
            f"{_percent(found.accuracy[0], 2)}, that on {_percent(found.accuracy[1], 2)}. If neither were better, so large a "
            f"difference would still come about with probability p = {test.p:.3g} (McNemar's exact test)."
        ],
        tables=[
            Table(
                ["both right", "only this", "only that", "neither", "p"],
                [[*(f"{count:,}" for count in test[:4]), f"{test.p:.3g}"]],
            ),
            _cut(["photo", "label", "P(food), this", "that"], differing, "Photos on which they differ"),
        ],
    )


def engines(found: Comparison) -> Section:
    """The 8-bit model against the float32 one."""
    return Section(
        "engines",
        "Engines",
        words=[
            f"The bundle holds the network twice: for TensorFlow, and with 8-bit integers for OpenVINO. On these {found.n:,} "
            f"photos the two give {found.test.only_first + found.test.only_second:,} photos another label (McNemar's exact "
            f"p = {found.test.p:.3g}), and P(food) differs by at most {found.largest:.3f}. It was checked on the "
            "processor that is named here; others may round otherwise."
        ],
        tables=[
            Table(
                ["ran by", "right"],
                [
                    [name, _percent(share, 2)]
                    for name, share in zip((found.first, found.second), found.accuracy, strict=True)
                ],
            )
        ],
    )


def audited(audit: Audit) -> Section:
    """What the audit before the training found."""
    rows = [[split, *(f"{n:,}" for n in counts.values())] for split, counts in audit.photos.items()]
    told = [
        [
            one.given,
            _percent(one.accuracy, 1),
            _range(one.accuracy_ci95, 1),
            _percent(one.majority, 1),
            f"{one.skill:.2f}",
            "yes" if one.suspicious else "no",
        ]
        for one in audit.shortcuts
    ]
    exact = sum(one.exact for one in audit.duplicates)
    words = [
        f"Before the training: {len(audit.unreadable):,} photos unreadable, {exact:,} exact and "
        f"{len(audit.duplicates) - exact:,} near twins; {len(audit.leaks):,} training photos were in another split too and "
        "left training. audit.md has them all."
    ]
    if audit.one_sided is not None:
        words.append(f"{_percent(audit.one_sided, 0)} of the photos come from sources with one label alone.")
    return Section(
        "audit",
        "Audit",
        words=words,
        tables=[
            Table(["split", *CLASSES], rows),
            Table(
                ["told from", "right", "95 % interval", "commoner label", "skill", "suspicious"],
                told,
                "How much of validation shallow models tell without looking at the picture",
            ),
        ],
        points=[f"Warning: {warning}" for warning in audit.warnings],
    )


def trained(epochs: pd.DataFrame) -> Section:
    """How the training went."""
    drawing = Drawing("history.svg", figures.svg(figures.history(epochs)), "Loss and accuracy by epoch")
    return Section("history", "Training", words=[f"{len(epochs)} epochs."], drawings=[drawing])


def left_out(unreadable: list[Unreadable], root: Path) -> Section:
    """The photos that could not be read; their names are relative to `root`."""
    rows = [[relative(one.path, root), shown(one.message)] for one in unreadable]
    return Section("unreadable", "Left out", tables=[_cut(["photo", "why"], rows)._replace(prose=True)])


def model(bundle: Bundle, engine: str) -> Section:
    """What was judged."""
    card, side = bundle.card, bundle.card.fit.side
    rows = [
        # The digest of the weights: a bundle's own is another one as soon as its card holds these figures.
        ["model", f"{card.name}, made {card.created_at:%Y-%m-%d}; weights {card.files[NETWORK][:12]}"],
        ["run by", engine],
        ["picture", f"{side} × {side} px, {card.fit.mode}"],
        ["cost of a picture", f"{cost.multiply_adds(side) / 1e9:.2f} G multiply-adds; it grows with the side squared"],
        ["temperature", f"{card.temperature:.4f}"],
        ["food from P(food)", f"{card.thresholds.food:.4f}"],
        ["unsure between", f"{card.thresholds.unsure_low:.4f} and {card.thresholds.unsure_high:.4f}"],
        ["trained on data with digest", card.data_sha256[:12]],
        ["libraries", ", ".join(f"{name} {release}" for name, release in card.libraries.items())],
    ]
    return Section("model", "Model", tables=[Table(["what", "is"], rows, prose=True)])


def _cut(head: list[str], rows: Iterable[list[str]], note: str = "") -> Table:
    rows = list(rows)
    more = f"the first {_LISTED} of {len(rows):,}" if len(rows) > _LISTED else ""
    return Table(head, rows[:_LISTED], ", ".join(text for text in (note, more) if text))


def _percent(share: float, decimals: int) -> str:
    return f"{100 * share:.{decimals}f} %"


def _range(interval: Iterable[float] | None, decimals: int) -> str:
    return "" if interval is None else " to ".join(f"{100 * end:.{decimals}f}" for end in interval) + " %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _plain_range(interval: Iterable[float] | None) -> str:
    return "" if interval is None else " to ".join(f"{end:.4f}" for end in interval)
