"""One evaluation of a finished model, from labelled photos to a report."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from models import EngineName
from models.bundle import INT8, Bundle
from models.engines import open_engine
from models.engines.base import Engine
from models.errors import EngineError
from training.data import dataset
from training.data.audit import Audit
from training.evaluation import comparison, mistakes, robustness
from training.evaluation.comparison import Comparison
from training.evaluation.predictions import Judged, judge
from training.fitting.recipe import Recipe
from training.report import report
from training.report.report import Findings


def evaluate(
    model: Path | None,
    data: Path,
    split: str,
    out: Path,
    engine_name: EngineName,
    console: Console,
    *,
    brief: bool,
    against: Path | None = None,
) -> dict[str, Any]:
    """Runs the bundle in `model` (None: foodsort's own) over one split of `data` and writes the report to `out`.

    against: a second bundle, run over the same photos and compared. brief: `metrics.json` alone.
    Returns the contents of `metrics.json`. Raises FoodsortError when a bundle or the data set is not one.
    """
    bundle = Bundle.load(model)
    second = Bundle.load(against) if against is not None else None
    frame = dataset.read(data, (split,))
    engine = open_engine(engine_name, bundle, Recipe().batch)
    second_engine = open_engine(engine_name, second, Recipe().batch) if second is not None else None
    out.mkdir(parents=True, exist_ok=True)  # now rather than after minutes of work that could not be kept
    with Progress(console=console) as progress:
        judged = judge(bundle, engine, frame, progress)
        compared = None
        if second is not None and second_engine is not None:
            other = judge(second, second_engine, frame, progress)
            compared = comparison.compare(judged, other, (bundle.model_name, second.model_name))
    if brief:
        found = report.summary(judged, Findings(against=compared))
        report.write_summary(out, found)
        return found
    return write_report(out, split, judged, engine, dataset.root(data), console, against=compared)


def write_report(
    out: Path,
    split: str,
    judged: Judged,
    engine: Engine,
    root: Path,
    console: Console,
    *,
    against: Comparison | None = None,
    audit: Audit | None = None,
    history: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Measures what a whole report tells beside `judged`, which `engine` ran, and writes it to the folder `out`.

    root: the data set's folder. against, audit, history: see `report.Findings`. Returns the contents of `metrics.json`.
    """
    with Progress(console=console) as progress:
        disturbed = robustness.measure(judged, engine, progress)
        engines = _engines(judged, progress)
    # The activation maps are the network's, which the scripted engine does not run.
    explaining = engine if engine.name != "scripted" else None
    sheet = mistakes.sheet(mistakes.find(judged), judged, root, explaining)
    findings = Findings(disturbed, engines, against, sheet, audit, history)
    return report.write(out, split, judged, findings, root)


def _engines(judged: Judged, progress: Progress) -> Comparison | None:
    """The bundle's 8-bit model against its float32 one; None when it has none or one of the two does not run here."""
    if INT8 not in judged.bundle.card.files or judged.engine == "scripted":
        return None
    is_int8 = judged.engine.startswith("openvino")
    try:
        engine = open_engine("tensorflow" if is_int8 else "openvino", judged.bundle, Recipe().batch)
    except EngineError as error:
        progress.console.print(f"not compared: {error}", markup=False)
        return None
    other = judge(judged.bundle, engine, judged.photos, progress)
    first, second = (other, judged) if is_int8 else (judged, other)
    return comparison.compare(first, second, (first.engine, second.engine))
