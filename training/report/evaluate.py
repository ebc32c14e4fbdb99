"""The evaluation of a finished model: labelled photos in, a report out."""

import dataclasses
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from models import EngineName
from models.bundle import INT8, Bundle
from models.engines import open_engine
from models.engines.base import Engine
from models.errors import EngineError
from training.data import dataset
from training.evaluation import mistakes, robustness
from training.evaluation.comparison import Comparison, compare
from training.evaluation.predictions import Predictions, predict
from training.fitting.disk import disk_full_errors
from training.fitting.recipe import Recipe
from training.report import metrics_file, report
from training.report.metrics_file import MetricsFile
from training.report.report import AdditionalResults

_BATCH = Recipe().batch
_AGAIN = "then run the command again"


def evaluate(
    data: Path,
    out: Path,
    *,
    model: Path | None,
    split: str,
    engine_name: EngineName,
    console: Console,
    brief: bool,
    against: Path | None = None,
) -> MetricsFile:
    """Evaluates a bundle on one split of a data set and writes the report.

    Args:
        data: The data set.
        out: Folder for the report.
        model: The bundle; the shipped one if None.
        split: Name of the split.
        engine_name: The engine that runs the model.
        console: Shows the progress.
        brief: Writes only `metrics.json`.
        against: A second bundle to compare with on the same photos.

    Returns:
        The contents of `metrics.json`.

    Raises:
        FoodsortError: A bundle or the data set is invalid, or the engine cannot run a bundle.
    """
    bundle = Bundle.load(model)
    other_bundle = Bundle.load(against) if against is not None else None
    survey = dataset.survey(data, (split,))
    frame = survey.photos
    for line in survey.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    engine = open_engine(engine_name, bundle, _BATCH)
    other_engine = open_engine(engine_name, other_bundle, _BATCH) if other_bundle is not None else None
    out.mkdir(parents=True, exist_ok=True)  # now, because the results of minutes of work have to be saved there
    comparison = None
    with Progress(console=console) as progress:
        predictions = predict(bundle, engine, frame, progress)
        if other_bundle is not None and other_engine is not None:
            other = predict(other_bundle, other_engine, frame, progress)
            comparison = compare(predictions, other, (bundle.model_name, other_bundle.model_name))
    if brief:
        metrics = metrics_file.build(predictions, against=comparison)
        with disk_full_errors(out, _AGAIN):
            metrics_file.write(out, metrics)
        return metrics
    root = dataset.root(data)
    results = additional_results(predictions, engine, root, console)
    results = dataclasses.replace(results, against=comparison)
    with disk_full_errors(out, _AGAIN):
        return report.write(out, predictions, results, split=split, root=root)


def additional_results(predictions: Predictions, engine: Engine, root: Path, console: Console) -> AdditionalResults:
    """Measures the robustness, compares the engines and collects the worst mistakes.

    Args:
        predictions: The predictions for a split.
        engine: The engine that made them.
        root: The folder that names of photos are relative to.
        console: Shows the progress.
    """
    with Progress(console=console) as progress:
        robustness_results = robustness.measure(predictions, engine, progress)
        engines = _compare_engines(predictions, progress)
    # The scripted engine does not run the network, so it has no activation maps.
    explaining_engine = engine if engine.name != "scripted" else None
    gallery = mistakes.build_gallery(mistakes.find(predictions), predictions, root, explaining_engine)
    return AdditionalResults(robustness=robustness_results, engines=engines, mistakes=gallery)


def _compare_engines(predictions: Predictions, progress: Progress) -> Comparison | None:
    """Compares the bundle's float32 and 8-bit models; None if one of them is missing or cannot run here."""
    if INT8 not in predictions.bundle.card.files or predictions.engine_name == "scripted":
        return None
    is_int8 = predictions.engine_name.startswith("openvino")
    try:
        engine = open_engine("tensorflow" if is_int8 else "openvino", predictions.bundle, _BATCH)
    except EngineError as error:
        progress.console.print(f"engines not compared: {error}", markup=False)
        return None
    other = predict(predictions.bundle, engine, predictions.photos, progress)
    float32, int8 = (other, predictions) if is_int8 else (predictions, other)
    return compare(float32, int8, (float32.engine_name, int8.engine_name))
