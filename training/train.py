"""One training from labelled photos to a finished bundle, read from top to bottom."""

import dataclasses
import hashlib
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from models import resnet50
from models.bundle import NETWORK, Bundle, Card, file_sha256, save_network
from models.decision import probability
from models.engines import open_engine
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.filenames import escape_name
from models.pretrained import imagenet_weights
from models.reference import Reference
from training.data import audit_report, dataset, image_facts, label_issues
from training.data.audit import Audit, audit
from training.evaluation.metrics import metrics
from training.evaluation.predictions import judge
from training.fitting import calibrate
from training.fitting.checkpoint import Work
from training.fitting.export import export_int8
from training.fitting.feature_cache import decoded
from training.fitting.features import Labels
from training.fitting.finetune import HISTORY
from training.fitting.fit import Fitted, fit
from training.fitting.recipe import Recipe
from training.report import report
from training.report.evaluate import write_report

if TYPE_CHECKING:
    import keras

LIBRARIES = ("foodsort", "tensorflow", "keras", "numpy", "pillow", "pillow-heif", "scikit-learn")


def train(
    data: Path, out: Path, weights: Path | None, recipe: Recipe, console: Console, *, drop: Path | None = None
) -> Bundle:
    """Trains on the data set in `data` and writes a bundle with its report to the new folder `out`.

    weights: a file with the ImageNet weights; fetched and cached when None. drop: a table of training photos to leave
    out (see `suspects.drop`). Training photos that are in another split too are left out as well.
    A training that was stopped, however hard, goes on where it was when it is started with the same words.
    Raises FoodsortError when `out` is taken, the data set is not one, the weights cannot be had, or it is interrupted.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FoodsortError(f"{out} is there already; name a new folder with --out")
    frame = dataset.read(data)
    if drop is not None:
        frame = label_issues.drop(frame, drop, data)
    with Progress(console=console) as progress:
        audited = audit(image_facts.gather(frame, progress), recipe.seed)
    for line in audit_report.lines(audited):
        console.print(line, markup=False, highlight=False)
    dataset.check(audited.frame, data)
    load_tensorflow()
    from training.fitting import devices  # after TensorFlow has been told to be quiet

    devices.deterministic(recipe.seed)
    imagenet = imagenet_weights(weights)
    network = resnet50.build(recipe.fit.side)
    resnet50.load_imagenet(network, imagenet)
    identity = {
        "recipe": dataclasses.asdict(recipe),
        "photos_sha256": dataset.digest(audited.frame),
        "paths_sha256": hashlib.sha256(escape_name("\n".join(audited.frame["path"])).encode()).hexdigest(),
        "imagenet_sha256": file_sha256(imagenet),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    work = Work(out, identity)
    try:
        folder = _bundle(network, audited, dataset.root(data), identity, recipe, work, console)
    except KeyboardInterrupt as error:
        raise FoodsortError(
            f"stopped; what is done is kept in {work.folder}, and the same command goes on from there"
        ) from error
    if out.exists():
        out.rmdir()  # empty, as checked above
    folder.rename(out)
    work.done()
    return Bundle.load(out)


def _bundle(
    network: "keras.Model",
    audited: Audit,
    root: Path,
    identity: dict[str, Any],
    recipe: Recipe,
    work: Work,
    console: Console,
) -> Path:
    """The folder, in that of `work`, of a finished bundle with its report."""
    splits = (audited.frame[audited.frame["split"] == split].reset_index(drop=True) for split in dataset.SPLITS)
    fitting, choosing, judging = splits
    with Progress(console=console) as progress:
        training, validation = (decoded(photos, recipe.fit, work, progress) for photos in (fitting, choosing))
        fitted = fit(network, training, validation, recipe, work, progress)
    folder = work.folder / "bundle"
    shutil.rmtree(folder, ignore_errors=True)  # an earlier start's
    folder.mkdir()
    save_network(fitted.network, folder / NETWORK)
    order = np.random.default_rng(recipe.seed).permutation(len(training.pixels))
    names = export_int8(fitted.network, (training.pixels[row] for row in order), folder)
    card = _card(fitted, validation.labels, identity, recipe, (NETWORK, *names))
    # Judged once, and as it will run: read back from the disk, by the engine that a daemon here would use.
    engine = open_engine("auto", bundle := Bundle.write(folder, card), recipe.batch)
    with Progress(console=console) as progress:
        judged = judge(bundle, engine, judging, progress)
    figures = write_report(folder, "evaluation", judged, engine, root, console, audit=audited, history=fitted.history)
    unreadable = training.unreadable + validation.unreadable + judged.unreadable
    report.write_unreadable(folder, unreadable)
    audit_report.write(folder, audited)
    for one in unreadable:
        console.print(f"left out: {one.path}: {one.message}", markup=False)
    if fitted.history is not None:
        fitted.history.to_csv(folder / HISTORY, index=False)
    Bundle.write(folder, card.model_copy(update={"metrics": card.metrics | {"evaluation": figures}}))
    return folder


def _card(fitted: Fitted, labels: Labels, identity: dict[str, Any], recipe: Recipe, files: tuple[str, ...]) -> Card:
    """The card of a network by its logits on validation, whose labels are `labels`."""
    temperature = calibrate.fit_temperature(fitted.logits, labels)
    p_food = probability(fitted.logits, temperature)
    thresholds = calibrate.choose_thresholds(p_food, labels, recipe.unsure_error)
    return Card(
        name="foodsort-resnet50",
        created_at=datetime.now(UTC),
        fit=recipe.fit,
        temperature=temperature,
        thresholds=thresholds,
        recipe=identity["recipe"],
        metrics={"validation": metrics(p_food, labels, thresholds.food)},
        reference=Reference.of(p_food, thresholds),
        data_sha256=identity["photos_sha256"],
        libraries=identity["libraries"],
        files=dict.fromkeys(files, ""),
    )
