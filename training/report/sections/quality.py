"""Sections about the quality of the model: metrics, curves, calibration."""

from typing import Any

from sklearn.metrics import classification_report

from models.bundle import Bundle
from training.data.dataset import CLASSES
from training.evaluation import curves
from training.evaluation.metrics import Metrics
from training.evaluation.predictions import Predictions
from training.report import plots
from training.report.document import Headline, Section, SvgFigure, Table
from training.report.metrics_file import MetricsFile
from training.report.sections.formatting import number, number_interval, percent, percent_interval


def headlines(metrics: Metrics) -> list[Headline]:
    """Returns accuracy, ROC AUC, F1 and calibration error."""
    return [
        Headline(
            value=percent(metrics["accuracy"], 1),
            name=f"accuracy on {metrics['n']:,} photos",
            interval=percent_interval(metrics["accuracy_ci95"], 1),
        ),
        Headline(number(metrics["roc_auc"]), "ROC AUC", number_interval(metrics["roc_auc_ci95"])),
        Headline(number(metrics["f1"]), "F1 of food", number_interval(metrics["f1_ci95"])),
        Headline(number(metrics["ece"]), "calibration error (ECE)", number_interval(metrics["ece_ci95"])),
    ]


def metrics_section(predictions: Predictions, metrics: MetricsFile, split: str) -> Section:
    """Shows the metrics with their intervals, the classification report and the confusion matrix."""
    rows = [
        ["accuracy", percent(metrics["accuracy"], 2), percent_interval(metrics["accuracy_ci95"], 2)],
        ["precision of food", percent(metrics["precision"], 2), percent_interval(metrics["precision_ci95"], 2)],
        ["recall of food", percent(metrics["recall"], 2), percent_interval(metrics["recall_ci95"], 2)],
        ["F1 of food", number(metrics["f1"]), number_interval(metrics["f1_ci95"])],
        ["ROC AUC", number(metrics["roc_auc"]), number_interval(metrics["roc_auc_ci95"])],
        ["calibration error (ECE)", number(metrics["ece"]), number_interval(metrics["ece_ci95"])],
        ["calibration error before calibration", number(metrics["ece_uncalibrated"]), ""],
    ]
    (true_negatives, false_positives), (false_negatives, true_positives) = metrics["confusion"]
    return Section(
        anchor="metrics",
        title="Metrics",
        paragraphs=[
            f"The model labels {false_positives + false_negatives:,} of {metrics['n']:,} photos wrongly: "
            f"{false_positives:,} of {true_negatives + false_positives:,} photos of non_food are called food, and "
            f"{false_negatives:,} of {false_negatives + true_positives:,} photos of food are missed. A photo is called "
            f"food if P(food) is at least {metrics['threshold']:.2f}.",
            "The 95 % interval of the accuracy is Wilson's; the others are bootstrap percentiles over the photos. The "
            "calibration error (ECE) compares the confidence in the predicted label with the accuracy, over 15 bins of "
            "equally many photos.",
        ],
        figures=[
            SvgFigure(
                file="confusion_matrix.png",
                svg=plots.svg(plots.confusion(metrics, split)),
                caption=f"Confusion matrix: {true_negatives} photos of non_food and {true_positives} of food are "
                f"right, {false_positives} and {false_negatives} are wrong.",
            )
        ],
        tables=[Table(["metric", "value", "95 % interval"], rows), _classification_table(predictions)],
    )


def _classification_table(predictions: Predictions) -> Table:
    by_class: dict[str, Any] = classification_report(
        predictions.labels,
        predictions.p_food >= predictions.threshold,
        labels=[0, 1],
        target_names=CLASSES,
        output_dict=True,
        zero_division=0.0,
    )
    metrics = ("precision", "recall", "f1-score")
    rows = [
        [name, *(f"{by_class[name][metric]:.4f}" for metric in metrics), f"{by_class[name]['support']:,.0f}"]
        for name in (*CLASSES, "macro avg", "weighted avg")
    ]
    return Table(["class", *metrics, "photos"], rows, caption="Classification report (scikit-learn)")


def curves_section(predictions: Predictions) -> Section | None:
    """Shows the ROC and precision–recall curves; None if the photos have one label only."""
    if len(set(predictions.labels)) < 2:
        return None
    roc = plots.roc(predictions.p_food, predictions.labels, predictions.threshold)
    precision_recall = plots.precision_recall(predictions.p_food, predictions.labels, predictions.threshold)
    return Section(
        anchor="curves",
        title="Curves",
        paragraphs=[
            "The curves show the effect of other thresholds. The dot is the current threshold. The inset, if there is "
            "one, enlarges the corner of a perfect model."
        ],
        figures=[
            SvgFigure("roc.svg", plots.svg(roc), "ROC curve"),
            SvgFigure("precision_recall.svg", plots.svg(precision_recall), "Precision–recall curve"),
        ],
    )


def _temperatures(bundle: Bundle) -> str:
    """Describes the calibration."""
    if not bundle.heads:
        return f"A temperature of {bundle.card.temperature:.3f}, fitted on validation, turns logits into probabilities."
    values = " and ".join(f"{head.temperature:.3f} at {side} px" for side, head in bundle.heads.items())
    return f"A temperature turns the values of a head into logits: {values}, fitted on sources that were left out."


def calibration_section(predictions: Predictions, metrics: MetricsFile) -> Section:
    """Shows the reliability before and after calibration, and the effect of setting unsure photos aside."""
    card = predictions.bundle.card
    labels = predictions.labels
    point = curves.operating_point(predictions.p_food, labels, card.thresholds)
    reliability = plots.reliability(
        before=curves.reliability_bins(predictions.p_uncalibrated, labels),
        after=curves.reliability_bins(predictions.p_food, labels),
    )
    curve = curves.risk_coverage(predictions.p_food, labels, predictions.threshold)
    return Section(
        anchor="calibration",
        title="Calibration",
        paragraphs=[
            f"{_temperatures(predictions.bundle)} It changes the calibration error from "
            f"{metrics['ece_uncalibrated']:.4f} to {metrics['ece']:.4f}. For points on the dotted line, P(food) equals "
            "the share of food; the bars are Wilson's 95 % intervals.",
            f"With a folder for unsure photos (P(food) strictly between {card.thresholds.unsure_low:.4f} and "
            f"{card.thresholds.unsure_high:.4f}), {percent(1 - point.coverage, 1)} of the photos are set aside. Of "
            f"the others, {percent(point.risk, 2)} get a wrong label.",
        ],
        figures=[
            SvgFigure(
                file="reliability.svg",
                svg=plots.svg(reliability),
                caption="Reliability diagram, with the number of photos by P(food) below",
            ),
            SvgFigure(
                file="risk_coverage.svg",
                svg=plots.svg(plots.risk_coverage(curve, point)),
                caption="Risk–coverage curve: the least confident photos are set aside first; the dot is the bundle's "
                "operating point",
            ),
        ],
    )
