"""What a training or an evaluation leaves for people and programs to read."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import classification_report

from models.decision import Floats
from models.filenames import escape_name
from training.data.audit import Audit
from training.data.dataset import CLASSES
from training.evaluation import comparison, mistakes
from training.evaluation.comparison import Comparison
from training.evaluation.metrics import expected_calibration_error, metrics
from training.evaluation.mistakes import Sheet
from training.evaluation.predictions import Judged
from training.evaluation.robustness import Row
from training.fitting.features import Labels, Unreadable
from training.report import document as documents
from training.report import figures
from training.report.document import Document, Section
from training.report.sections import model, photos, quality


@dataclass(frozen=True)
class Findings:
    """What a report tells beside the figures of the run itself; what is None or empty has no chapter.

    robustness: a row a disturbance. engines: float32 against 8-bit integers. against: this bundle against another.
    mistakes: cards of the worst. audit: of the data set before the training. history: of the training, a row an epoch.
    """

    robustness: list[Row] = dataclasses.field(default_factory=list)
    engines: Comparison | None = None
    against: Comparison | None = None
    mistakes: Sheet | None = None
    audit: Audit | None = None
    history: pd.DataFrame | None = None


def summary(judged: Judged, findings: Findings) -> dict[str, Any]:
    """The contents of `metrics.json`: those of `metrics`, and what was measured beside them."""
    found = metrics(judged.p_food, judged.labels, judged.threshold)
    found["ece_uncalibrated"] = expected_calibration_error(judged.p_raw, judged.labels, judged.threshold)
    if findings.robustness:
        found["robustness"] = {
            row.disturbance: {
                "accuracy": row.accuracy,
                "accuracy_ci95": list(row.accuracy_ci95),
                "changed": row.changed,
            }
            for row in findings.robustness
        }
    for name, compared in (("engines", findings.engines), ("against", findings.against)):
        if compared is not None:
            found[name] = comparison.as_json(compared)
    return found


def write_summary(out: Path, found: dict[str, Any]) -> None:
    """Writes `metrics.json`."""
    (out / "metrics.json").write_text(json.dumps(found, indent=2) + "\n")


def write(out: Path, split: str, judged: Judged, findings: Findings, root: Path) -> dict[str, Any]:
    """Writes the whole report of one run over a split to the folder `out` and returns the contents of `metrics.json`.

    Files: `report.html` and `report.md` with their figures, `metrics.json`, `classification_report.txt`,
    `confusion_matrix.png`, `mistakes.csv`, and `unreadable.csv` if a photo was left out. Names are relative to `root`.
    """
    found = summary(judged, findings)
    write_summary(out, found)
    text = classification(judged.p_food, judged.labels, judged.threshold)
    (out / "classification_report.txt").write_text(text)
    figures.confusion(found, split).savefig(out / "confusion_matrix.png", dpi=150)
    mistakes.write(out, mistakes.find(judged), root)
    write_unreadable(out, judged.unreadable)
    documents.write(out, document(split, judged, found, findings, root))
    return found


def document(split: str, judged: Judged, found: dict[str, Any], findings: Findings, root: Path) -> Document:
    """The report as a document, in the order in which a person asks."""
    parts: list[Section | None] = [
        quality.key_figures(judged, found, split),
        quality.ranking(judged),
        quality.sureness(judged, found),
        photos.worst(findings.mistakes, int(judged.wrong.sum())) if findings.mistakes else None,
        photos.disturbed(found, findings.robustness) if findings.robustness else None,
        photos.by_source(judged),
        model.against(findings.against, root) if findings.against else None,
        model.engines(findings.engines) if findings.engines else None,
        model.audited(findings.audit) if findings.audit else None,
        model.trained(findings.history) if findings.history is not None else None,
        photos.left_out(judged.unreadable, root) if judged.unreadable else None,
        model.model(judged.bundle, judged.engine),
    ]
    return Document(
        title=f"{judged.bundle.card.name} on {split}",
        about=f"{found['n']:,} photos, run by {judged.engine}",
        headlines=quality.headlines(found),
        sections=[part for part in parts if part is not None],
    )


def classification(p_food: Floats, labels: Labels, threshold: float) -> str:
    """scikit-learn's classification report as text."""
    predicted = (p_food >= threshold).astype(int)
    return str(
        classification_report(labels, predicted, labels=[0, 1], target_names=CLASSES, digits=4, zero_division=0.0)
    )


def write_unreadable(out: Path, unreadable: list[Unreadable]) -> None:
    """Writes `unreadable.csv` (path, kind, message) when a picture was left out, and removes an older one otherwise."""
    if not unreadable:
        (out / "unreadable.csv").unlink(missing_ok=True)
    else:
        out.mkdir(parents=True, exist_ok=True)
        shown_safely = [one._replace(path=escape_name(one.path)) for one in unreadable]
        pd.DataFrame(shown_safely).to_csv(out / "unreadable.csv", index=False)
