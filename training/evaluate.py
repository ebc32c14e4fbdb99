"""One evaluation of a finished model, from labelled photos to a report."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from models import EngineName
from models.bundle import Bundle
from models.decision import probability
from models.engines import open_engine
from training import dataset, report
from training.features import extract
from training.recipe import Recipe


def evaluate(
    model: Path | None, data: Path, split: str, out: Path, engine_name: EngineName, console: Console, *, brief: bool
) -> dict[str, Any]:
    """Runs the bundle in `model` (None: foodsort's own) over one split of `data` and writes the report to `out`.

    Returns the contents of `metrics.json`. Raises FoodsortError when the bundle or the data set is not one.
    """
    bundle = Bundle.load(model)
    frame = dataset.read(data, (split,))
    recipe = Recipe(fit=bundle.card.fit)
    engine = open_engine(engine_name, bundle, recipe.batch)
    out.mkdir(parents=True, exist_ok=True)  # now rather than after minutes of work that could not be kept
    with Progress(console=console) as progress:
        seen = extract(engine.logits, frame, recipe, progress)
    p_food = probability(seen.values, bundle.card.temperature)
    if not brief:
        report.write_unreadable(out, seen.unreadable)
    return report.write(out, split, p_food, seen.labels, bundle.card.thresholds.food, brief=brief)
