"""How good the model is: figures, curves, calibration."""

from typing import Any

from sklearn.metrics import classification_report

from training.data.dataset import CLASSES
from training.evaluation import curves
from training.evaluation.predictions import Judged
from training.report import figures
from training.report.document import Drawing, Headline, Section, Table
from training.report.sections.numbers import number, number_range, percent, percent_range


def headlines(found: dict[str, Any]) -> list[Headline]:
    """Accuracy, ROC AUC, calibration error and F1 of the contents of `metrics.json`."""
    return [
        Headline(
            percent(found["accuracy"], 1), f"right, of {found['n']:,} photos", percent_range(found["accuracy_ci95"], 1)
        ),
        Headline(number(found["roc_auc"]), "ROC AUC", number_range(found["roc_auc_ci95"])),
        Headline(number(found["f1"]), "F1 of food", number_range(found["f1_ci95"])),
        Headline(number(found["ece"]), "calibration error (ECE)", number_range(found["ece_ci95"])),
    ]


def key_figures(judged: Judged, found: dict[str, Any], split: str) -> Section:
    """All figures with their intervals, the classification report, the confusion matrix."""
    rows = [
        ["accuracy", percent(found["accuracy"], 2), percent_range(found["accuracy_ci95"], 2)],
        ["precision of food", percent(found["precision"], 2), percent_range(found["precision_ci95"], 2)],
        ["recall of food", percent(found["recall"], 2), percent_range(found["recall_ci95"], 2)],
        ["F1 of food", number(found["f1"]), number_range(found["f1_ci95"])],
        ["ROC AUC", number(found["roc_auc"]), number_range(found["roc_auc_ci95"])],
        ["calibration error (ECE)", number(found["ece"]), number_range(found["ece_ci95"])],
        ["the same before the temperature", number(found["ece_uncalibrated"]), ""],
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
            f"{card.thresholds.unsure_high:.4f}), {percent(1 - chosen.coverage, 1)} are set aside, and of the others "
            f"{percent(chosen.risk, 2)} get the wrong label.",
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
