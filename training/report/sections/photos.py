"""Sections about photos: mistakes, robustness, sources, unreadable photos."""

from pathlib import Path

import pandas as pd

from models.filenames import escape_name
from models.intervals import wilson_interval
from models.plurals import plural
from training.data.similar_photos import MIN_COSINE, SimilarPair
from training.evaluation.metrics import Metrics
from training.evaluation.mistakes import FILENAME, MistakeGallery, relative_path
from training.evaluation.predictions import Predictions
from training.evaluation.robustness import RobustnessResult
from training.fitting.features import UnreadablePhoto
from training.report.document import Section, Table
from training.report.sections.formatting import percent, percent_interval, truncated_table

_PERTURBATION_NAMES = {
    "small": "downscaled to 96 px",
    "squeezed": "JPEG quality 20",
    "blurred": "blurred",
    "grey": "greyscale",
    "turned": "rotated by 90°",
    "darker": "30 % darker",
    "centre": "cropped to the centre",
}


def mistakes_section(gallery: MistakeGallery, wrong: int) -> Section:
    """Shows the worst mistakes.

    Args:
        gallery: The worst mistakes.
        wrong: Number of all mistakes.
    """
    if not wrong:
        return Section("mistakes", "Mistakes", paragraphs=["None."])
    shown_mistakes = "all of them" if len(gallery.cards) == wrong else f"the {len(gallery.cards)} worst"
    paragraphs = [
        f"Photos with a wrong label: {wrong:,}. {FILENAME} lists them. report.html shows {shown_mistakes} as the "
        "network sees them, the most confident mistake first."
    ]
    if gallery.heat_scale is not None:
        paragraphs.append(
            "The class activation map of each photo shows, to first order, how much each region adds to the logit. "
            "Orange is evidence for food, blue is evidence against it. All maps share one scale, on which the colours "
            f"saturate at a logit of {gallery.heat_scale:.2g}."
        )
    return Section("mistakes", "Worst mistakes", paragraphs=paragraphs, cards=gallery.cards)


def robustness_section(metrics: Metrics, results: list[RobustnessResult]) -> Section:
    """Shows the accuracy after each perturbation."""
    unperturbed = [
        "unchanged",
        percent(metrics["accuracy"], 1),
        percent_interval(metrics["accuracy_ci95"], 1),
        "",
        "",
    ]
    perturbed = [
        [
            _PERTURBATION_NAMES[result.perturbation],
            percent(result.accuracy, 1),
            percent_interval(result.accuracy_ci95, 1),
            f"{100 * (result.accuracy - metrics['accuracy']):+.1f}".replace("-", "−"),
            f"{result.changed:,}",
        ]
        for result in results
    ]
    return Section(
        anchor="robustness",
        title="Robustness",
        paragraphs=[
            "The same photos are perturbed at their original size, before they are resized for the network. The "
            "perturbations: the longer side scaled down to 96 px and up again, JPEG compression of quality 20, a blur "
            "of 2 px at 320 px, greyscale, a rotation by 90°, 30 % less brightness, and a crop to the middle half of "
            "each side."
        ],
        tables=[
            Table(
                header=["photos", "accuracy", "95 % interval", "difference, points", "labels that change"],
                rows=[unperturbed, *perturbed],
            )
        ],
    )


def sources_section(predictions: Predictions) -> Section | None:
    """Shows the accuracy by source, the largest first; None if no source is known."""
    sources = predictions.photos["source"]
    if (sources == "").all():
        return None
    photos = pd.DataFrame({"source": sources, "food": predictions.labels, "right": ~predictions.wrong})
    by_source = photos.groupby("source").agg(count=("right", "size"), right=("right", "sum"), food=("food", "sum"))
    rows = []
    for source, row in by_source.sort_values("count", ascending=False, kind="stable").iterrows():
        count, right, food = int(row["count"]), int(row["right"]), int(row["food"])
        rows.append(
            [
                escape_name(str(source)) or "unknown",
                f"{count:,}",
                percent(right / count, 1),
                percent_interval(wilson_interval(right, count), 1),
                f"{count - right:,}",
                percent(food / count, 0),
            ]
        )
    return Section(
        anchor="sources",
        title="Sources",
        paragraphs=["The intervals of sources with few photos are wide."],
        tables=[truncated_table(["source", "photos", "accuracy", "95 % interval", "wrong", "food"], rows)],
    )


def similar_section(pairs: list[SimilarPair], root: Path) -> Section:
    """Lists the training photos that are much like a held-out one; names are relative to `root`."""
    rows = [[relative_path(pair.path, root), relative_path(pair.twin, root), f"{pair.cosine:.3f}"] for pair in pairs]
    return Section(
        anchor="similar",
        title="Training photos that are like a held-out one",
        paragraphs=[
            f"The features of {len(pairs):,} training {plural(len(pairs), 'photo')} are nearer than a cosine of "
            f"{MIN_COSINE:.2f} to those of a photo for validation or evaluation. Some show the same scene, and flatter "
            "the metrics; others are only of the same kind."
        ],
        tables=[truncated_table(["training photo", "held-out photo", "cosine"], rows, prose=True)],
    )


def unreadable_section(unreadable: list[UnreadablePhoto], root: Path) -> Section:
    """Lists the photos that could not be read; names are relative to `root`."""
    rows = [[relative_path(photo.path, root), escape_name(photo.message)] for photo in unreadable]
    return Section("unreadable", "Unreadable photos", tables=[truncated_table(["photo", "error"], rows, prose=True)])
