"""A whole training, from labelled photos to a finished bundle. It reads from top to bottom."""

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import Progress

from models import resnet50
from models.bundle import BANK, HEADS, NETWORK, Bundle, save_network
from models.engines import open_engine
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.head import COMPARED, save_heads
from models.pretrained import imagenet_weights
from training.card import describe
from training.data import audit_report, dataset, image_facts, label_issues, similar_photos
from training.data.audit import Audit, audit
from training.data.similar_photos import SimilarPair
from training.evaluation.predictions import predict
from training.fitting import feature_bank
from training.fitting.backbone import finetune_if_better
from training.fitting.checkpoint import RESUME, Checkpoint
from training.fitting.disk import disk_full_errors, require_new
from training.fitting.feature_cache import DecodedSplit, FeatureCache, decode_split
from training.fitting.features import Features, UnreadablePhoto
from training.fitting.finetune import HISTORY
from training.fitting.fit import fit
from training.fitting.inference import compile_features
from training.fitting.quantization import quantize
from training.fitting.recipe import Recipe
from training.fitting.views import ORIGINAL
from training.identity import Identity, identify
from training.report import report
from training.report.evaluate import additional_results

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class _Job:
    """The inputs of a training, and its checkpoint."""

    audited: Audit
    root: Path
    identity: Identity
    recipe: Recipe
    checkpoint: Checkpoint
    console: Console


def train(
    data: Path | Sequence[Path],
    out: Path,
    *,
    weights: Path | None,
    recipe: Recipe,
    console: Console,
    drop: Path | None = None,
) -> Bundle:
    """Trains a model and writes its bundle and report.

    Training photos that have a duplicate in another split are left out. An interrupted training resumes when it is
    started again with the same arguments.

    Args:
        data: The data set; several are used as one, and each keeps its splits.
        out: A new folder for the bundle.
        weights: File with the ImageNet weights; downloaded and cached if None.
        recipe: The hyper-parameters.
        console: Shows the progress and the audit.
        drop: Table of training photos to leave out, see `label_issues.drop`.

    Raises:
        FoodsortError: `out` is not empty, the data set is invalid, the weights are not available, or the training is
            interrupted, or the disk is full.
    """
    require_new(out)
    audited = _audit_data(data, drop, recipe, console)
    load_tensorflow()
    from training.fitting.determinism import make_deterministic  # imports TensorFlow, so it comes after the line above

    make_deterministic(recipe.seed)
    imagenet = imagenet_weights(weights)
    network = resnet50.build()
    resnet50.load_imagenet(network, imagenet)
    identity = identify(recipe, audited.frame, imagenet)
    checkpoint = Checkpoint(out, identity)
    job = _Job(
        audited=audited,
        root=dataset.root(data),
        identity=identity,
        recipe=recipe,
        checkpoint=checkpoint,
        console=console,
    )
    try:
        with disk_full_errors(checkpoint.folder, RESUME):
            folder = _make_bundle(network, job)
    except KeyboardInterrupt as error:
        raise FoodsortError(
            f"interrupted; the results so far are in {checkpoint.folder}; run the same command again to resume"
        ) from error
    if out.exists():
        out.rmdir()  # empty, as checked above
    folder.rename(out)
    checkpoint.delete()
    return Bundle.load(out)


def _audit_data(data: Path | Sequence[Path], drop: Path | None, recipe: Recipe, console: Console) -> Audit:
    """Reads and audits the data set, and prints the audit."""
    survey = dataset.survey(data)
    frame = dataset.hold_out(survey.photos, recipe.held_out_sources, recipe.seed)
    if drop is not None:
        frame = label_issues.drop(frame, drop, data)
    with Progress(console=console) as progress:
        audited = audit(image_facts.gather(frame, progress), recipe.seed)
    audited = dataclasses.replace(audited, left_out=survey.left_out, notes=survey.notes)
    for line in audit_report.lines(audited):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    dataset.check(audited.frame, data)  # again, because photos were removed
    return audited


def _make_bundle(network: "keras.Model", job: _Job) -> Path:
    """Fits, calibrates, exports and evaluates the network; returns the finished bundle's folder in the checkpoint."""
    recipe = job.recipe
    frame = job.audited.frame
    split_frames = {split: frame[frame["split"] == split].reset_index(drop=True) for split in dataset.SPLITS}
    with Progress(console=job.console) as progress:
        training = decode_split(split_frames["training"], recipe.fit, job.checkpoint, progress)
        validation = decode_split(split_frames["validation"], recipe.fit, job.checkpoint, progress)
        history = None
        if recipe.finetune_epochs:
            history = finetune_if_better(
                network, training, validation, recipe=recipe, checkpoint=job.checkpoint, progress=progress
            )
        quantized = quantize(network, training.pixels, recipe, job.checkpoint)
        run = compile_features(network, quantized)
        fitted = fit(run, training, validation, recipe=recipe, checkpoint=job.checkpoint, progress=progress)
        evaluation = decode_split(split_frames["evaluation"], recipe.fit, job.checkpoint, progress)
        cache = FeatureCache(COMPARED, run, np.float32, recipe, job.checkpoint)
        similar = _similar_photos(cache, training, [validation, evaluation], progress)
    folder = job.checkpoint.folder / "bundle"
    shutil.rmtree(folder, ignore_errors=True)  # of an interrupted run
    folder.mkdir()
    save_network(network, folder / NETWORK)
    save_heads(folder / HEADS, fitted.heads)
    feature_bank.save(folder / BANK, fitted.bank)
    for path in quantized.iterdir():
        shutil.copy(path, folder)
    card = describe(fitted, recipe, job.identity, sorted(path.name for path in folder.iterdir()))
    bundle = Bundle.write(folder, card)
    # The model is evaluated as it will run: read back from the disk, on the engine that a daemon here would use.
    engine = open_engine("auto", bundle, recipe.batch)
    with Progress(console=job.console) as progress:
        predictions = predict(bundle, engine, split_frames["evaluation"], progress)
    results = additional_results(predictions, engine, job.root, job.console)
    results = dataclasses.replace(results, audit=job.audited, history=history, fitted=fitted, similar=similar)
    metrics = report.write(folder, predictions, results, split="evaluation", root=job.root)
    audit_report.write(folder, job.audited)
    _report_unreadable(folder, [*training.unreadable, *validation.unreadable, *predictions.unreadable], job.console)
    if history is not None:
        history.to_csv(folder / HISTORY, index=False)
    all_metrics = card.metrics | {"evaluation": dict(metrics)}
    Bundle.write(folder, card.model_copy(update={"metrics": all_metrics}))
    return folder


def _similar_photos(
    cache: FeatureCache, training: DecodedSplit, held_out: list[DecodedSplit], progress: Progress
) -> list[SimilarPair]:
    """Finds the training photos whose features are like those of a held-out photo."""

    def directions(photos: DecodedSplit) -> Features:
        return np.asarray(cache.view(photos, ORIGINAL, progress).values[:, :-1])

    return similar_photos.find(
        directions(training),
        training.paths,
        np.concatenate([directions(photos) for photos in held_out]),
        [path for photos in held_out for path in photos.paths],
    )


def _report_unreadable(folder: Path, unreadable: list[UnreadablePhoto], console: Console) -> None:
    report.write_unreadable(folder, unreadable)
    for photo in unreadable:
        console.print(f"left out: {photo.path}: {photo.message}", markup=False)
