"""The card of a trained model: how it classifies, what it was trained on, and how good it is."""

from collections.abc import Iterable
from datetime import UTC, datetime

from models.bundle import Card
from models.reference import Reference
from training.evaluation.metrics import compute_metrics
from training.fitting.fit import FittedModel
from training.fitting.recipe import Recipe
from training.identity import Identity


def describe(fitted: FittedModel, recipe: Recipe, identity: Identity, files: Iterable[str]) -> Card:
    """Returns the card of a fitted model whose bundle has `files`; the digests follow when it is written."""
    photos = {"validation": fitted.validation, "left_out_sources": fitted.left_out}
    p_food = {name: one.p_food(fitted.cascade) for name, one in photos.items()}
    metrics = {
        name: dict(compute_metrics(p_food[name], one.labels, fitted.thresholds.food)) for name, one in photos.items()
    }
    return Card(
        format_version=2,
        name="foodsort-resnet50",
        created_at=datetime.now(UTC),
        fit=recipe.fit,
        cascade=fitted.cascade,
        temperature=1.0,
        thresholds=fitted.thresholds,
        recipe=identity["recipe"],
        metrics=metrics,
        reference=Reference.of(p_food["validation"], fitted.thresholds),
        data_sha256=identity["photos_sha256"],
        libraries=identity["libraries"],
        files=dict.fromkeys(files, ""),
    )
