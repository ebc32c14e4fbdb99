"""The report of a learned candidate: the judgement, and the candidate on the guard."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from models.bundle import Bundle
from models.cascade import needs_second_look
from models.features import logits_by_side, logits_of
from models.judgement import Judgement
from models.plurals import plural
from training.evaluation.predictions import Predictions
from training.fitting.feature_bank import BankSplit
from training.fitting.features import UnreadablePhoto
from training.report import document, metrics_file
from training.report.document import Document
from training.report.sections import card, photos, quality
from training.report.sections import judgement as judged

_ENGINE = "the feature bank"


def write(
    out: Path,
    judgement: Judgement,
    bundle: Bundle,
    live: Bundle,
    guard: BankSplit,
    paths: Mapping[str, str],
    unreadable: list[UnreadablePhoto],
) -> None:
    """Writes `report.html`.

    Args:
        out: The folder.
        judgement: The judgement of the candidate.
        bundle: The candidate.
        live: The live model.
        guard: The photos of the guard.
        paths: The file of each judged photo by its SHA-256; empty: no photo is shown.
        unreadable: Photos that were left out.
    """
    predictions = predict(bundle, guard)
    metrics = metrics_file.build(predictions)
    boundaries = judged.Boundaries(live.card.thresholds.food, bundle.card.thresholds.food)
    sections = [
        judged.judgement_section(judgement, paths, boundaries),
        judged.asked_again_section(judgement, paths),
        quality.metrics_section(predictions, metrics, "guard"),
        quality.curves_section(predictions),
        quality.calibration_section(predictions, metrics),
        photos.sources_section(predictions),
        photos.unreadable_section(unreadable, _folder(unreadable)) if unreadable else None,
        card.model_section(bundle, _ENGINE),
    ]
    count = judgement.labels
    document.write_html(
        out,
        Document(
            title=f"{bundle.card.name}, learned from {count:,} {plural(count, 'label')}",
            subtitle=f"judged against {live.model_name}; the sections below the judgement are about the guard",
            headlines=judged.headlines(judgement),
            sections=[section for section in sections if section is not None],
        ),
    )


def predict(bundle: Bundle, split: BankSplit) -> Predictions:
    """Returns a bundle's predictions for the photos of a bank."""
    heads, cascade = bundle.heads, bundle.card.cascade
    full = bundle.card.fit.side
    looks = np.full(len(split.labels), full)
    if cascade is not None:
        small = logits_by_side({cascade.side: heads[cascade.side]}, split.positions)[:, 0]
        looks = np.where(needs_second_look(small, cascade.margin), full, cascade.side)
    return Predictions(
        bundle=bundle,
        engine_name=_ENGINE,
        photos=pd.DataFrame({"path": "", "label": split.labels, "split": "guard", "source": split.sources}),
        logits=logits_of(heads, split.positions, cascade),
        looks=looks,
        unreadable=[],
    )


def _folder(unreadable: list[UnreadablePhoto]) -> Path:
    return Path(unreadable[0].path).parent
