"""The files that a training or an evaluation leaves."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from sklearn.metrics import classification_report

from models.decision import Floats
from models.filenames import escape_name
from training.data.audit import Audit
from training.data.dataset import CLASSES
from training.data.similar_photos import SimilarPair
from training.evaluation import mistakes
from training.evaluation.comparison import Comparison
from training.evaluation.mistakes import MistakeGallery
from training.evaluation.predictions import Predictions
from training.evaluation.robustness import RobustnessResult
from training.fitting.features import Labels, UnreadablePhoto
from training.fitting.fit import FittedModel
from training.report import document as documents
from training.report import metrics_file, plots
from training.report.document import Document, Section
from training.report.metrics_file import MetricsFile
from training.report.sections import card, looks, model, photos, quality


@dataclass(frozen=True)
class AdditionalResults:
    """Results besides the predictions themselves. A result that is None or empty has no section.

    Attributes:
        robustness: One result for each perturbation.
        engines: The float32 model (first) and the 8-bit model (second).
        against: This bundle (first) and another one (second).
        mistakes: The worst mistakes.
        audit: The audit of the data set before the training.
        history: The history of fine-tuning, one row an epoch.
        fitted: The fitted heads, with their logits on held-out photos.
        similar: Training photos that are like a held-out one.
    """

    robustness: list[RobustnessResult] = field(default_factory=list)
    engines: Comparison | None = None
    against: Comparison | None = None
    mistakes: MistakeGallery | None = None
    audit: Audit | None = None
    history: pd.DataFrame | None = None
    fitted: FittedModel | None = None
    similar: list[SimilarPair] = field(default_factory=list)


def write(out: Path, predictions: Predictions, results: AdditionalResults, *, split: str, root: Path) -> MetricsFile:
    """Writes the report of an evaluation.

    The files are `report.html`, `report.md` and its figures, `metrics.json`, `classification_report.txt`,
    `confusion_matrix.png`, `mistakes.csv`, and `unreadable.csv` if photos were left out.

    Args:
        out: The folder.
        predictions: The predictions for the split.
        results: The content of the optional sections.
        split: Name of the split.
        root: The folder that names of photos are relative to.

    Returns:
        The contents of `metrics.json`.
    """
    metrics = metrics_file.build(
        predictions, robustness_results=results.robustness, engines=results.engines, against=results.against
    )
    metrics_file.write(out, metrics)
    text = classification_text(predictions.p_food, predictions.labels, predictions.threshold)
    (out / "classification_report.txt").write_text(text)
    plots.confusion(metrics, split).savefig(out / "confusion_matrix.png", dpi=150)
    mistakes.write(out, mistakes.find(predictions), root)
    write_unreadable(out, predictions.unreadable)
    documents.write(out, document(predictions, results, metrics, split=split, root=root))
    return metrics


def document(
    predictions: Predictions, results: AdditionalResults, metrics: MetricsFile, *, split: str, root: Path
) -> Document:
    """Builds the report as a document."""
    wrong = int(predictions.wrong.sum())
    sections: list[Section | None] = [
        quality.metrics_section(predictions, metrics, split),
        quality.curves_section(predictions),
        quality.calibration_section(predictions, metrics),
        photos.mistakes_section(results.mistakes, wrong) if results.mistakes else None,
        photos.robustness_section(metrics, results.robustness) if results.robustness else None,
        photos.sources_section(predictions),
        looks.left_out_section(results.fitted) if results.fitted else None,
        looks.cascade_section(results.fitted) if results.fitted else None,
        model.comparison_section(results.against, root) if results.against else None,
        model.engines_section(results.engines) if results.engines else None,
        model.audit_section(results.audit) if results.audit else None,
        model.training_section(results.history) if results.history is not None else None,
        photos.similar_section(results.similar, root) if results.similar else None,
        photos.unreadable_section(predictions.unreadable, root) if predictions.unreadable else None,
        card.model_section(predictions.bundle, predictions.engine_name),
    ]
    return Document(
        title=f"{predictions.bundle.card.name} on {split}",
        subtitle=f"{metrics['n']:,} photos, run by {predictions.engine_name}",
        headlines=quality.headlines(metrics),
        sections=[section for section in sections if section is not None],
    )


def classification_text(p_food: Floats, labels: Labels, threshold: float) -> str:
    """Returns scikit-learn's classification report as text."""
    predicted = (p_food >= threshold).astype(int)
    return str(
        classification_report(labels, predicted, labels=[0, 1], target_names=CLASSES, digits=4, zero_division=0.0)
    )


def write_unreadable(out: Path, unreadable: list[UnreadablePhoto]) -> None:
    """Writes `unreadable.csv` (path, kind, message) if photos were left out, and deletes an older one otherwise."""
    if not unreadable:
        (out / "unreadable.csv").unlink(missing_ok=True)
    else:
        out.mkdir(parents=True, exist_ok=True)
        escaped = [photo._replace(path=escape_name(photo.path)) for photo in unreadable]
        pd.DataFrame(escaped).to_csv(out / "unreadable.csv", index=False)
