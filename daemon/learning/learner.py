"""Makes a candidate from people's labels: features in this process, the fit in another one, then its judgements."""

import math
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.database import judgements
from daemon.database.recorder import add_model
from daemon.database.schema import photos
from daemon.decoders.pool import DecoderPool
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.learning import features, labels
from daemon.learning.promotion import record
from daemon.photo import Prediction
from daemon.queries.labelled import LabelledPhoto
from daemon.registry import learned
from daemon.registry.learned import LearnedModel
from daemon.registry.lock import exclusive
from daemon.settings import Settings
from models.bundle import Bundle, folder_name
from models.decision import label
from models.errors import FoodsortError
from models.feature_store import FeatureStore
from models.features import FeatureExtractor
from models.judgement import Judgement

FEATURES = "features.db"
"""Cache of features in the folder of the models."""
_TEMPORARY = ".learning-"


class NothingToLearn(FoodsortError):
    """Raised when no person has labelled a photo that can be learned from."""


class Learned(NamedTuple):
    """A new candidate.

    Attributes:
        model: The candidate.
        problems: Why photos could not be learned from.
        output: What the process that fitted it printed: a table of the judgement.
    """

    model: LearnedModel
    problems: list[str]
    output: str


def learn(
    root: Path,
    settings: Settings,
    engine: sa.Engine,
    *,
    configured: Path | None,
    live: Bundle,
    on_start: Callable[[int], Callable[[], None]],
) -> Learned:
    """Makes a candidate.

    Args:
        root: The root.
        settings: Its settings.
        engine: Its database, writable.
        configured: Folder of the bundle in the settings; None for the one that comes with foodsort.
        live: The live model, which the candidate is judged against.
        on_start: Called with the number of photos; returns a function to call after each.

    Raises:
        NothingToLearn: There is no label.
        FoodsortError: Another process learns, the fit failed, or a folder cannot be used.
    """
    with exclusive(root, settings.folders) as folder:
        _sweep(folder)
        work = folder / f"{_TEMPORARY}{secrets.token_hex(4)}"
        try:
            return _learn(root, settings, engine, folder, work, configured, live, on_start)
        except OSError as error:
            where = error.filename or folder
            raise FoodsortError(f"{where} cannot be used: {error.strerror}; no candidate was made") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _learn(
    root: Path,
    settings: Settings,
    engine: sa.Engine,
    folder: Path,
    work: Path,
    configured: Path | None,
    live: Bundle,
    on_start: Callable[[int], Callable[[], None]],
) -> Learned:
    label_set = labels.read(engine)
    if not label_set.training:
        raise NothingToLearn(
            "nobody has labelled a photo that can be learned from; label some on the review page (Teach), or with "
            "`foodsort correct`"
        )
    base = Bundle.load(configured)
    training, audit, problems = _compute_features(root, settings, folder, base, label_set, on_start)
    if not training:
        raise NothingToLearn(f"none of the labelled photos can be read; the first: {problems[0]}")
    data, out = work / "photos", folder / f"{work.name}.model"
    data.mkdir(parents=True)
    labels.write([(photo, "training") for photo in training] + [(photo, "evaluation") for photo in audit], root, data)
    failpoints.failpoint("learning")
    try:
        output = _fit(base, live, data, folder / FEATURES, out)
        failpoints.failpoint("learned")
        bundle = Bundle.load(out)
        place = folder / folder_name(bundle.sha256)
        out.rename(place)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    failpoints.failpoint("listed")
    model = learned.find(root, settings.model.bundle, bundle.sha256)
    _record(engine, Bundle.load(place), live, model.judgement, audit)
    learned.prune(root, settings.model.bundle)
    return Learned(model, problems, output)


def _compute_features(
    root: Path,
    settings: Settings,
    folder: Path,
    base: Bundle,
    label_set: labels.LabelSet,
    on_start: Callable[[int], Callable[[], None]],
) -> tuple[list[LabelledPhoto], list[LabelledPhoto], list[str]]:
    """Stores the features of all photos; returns those to learn from, the audit sample, and the problems."""
    images = settings.images
    on_photo = on_start(len(label_set.training) + len(label_set.audit))
    # The decoders come first: they are forked while the process is small.
    with (
        closing(Claims(root / settings.folders.inbox)) as claims,
        DecoderPool(base.card.fit, images.max_pixels, images.timeout_s, images.decoders) as decoders,
        closing(FeatureStore(folder / FEATURES)) as store,
    ):
        destinations = DestinationFolders(root, settings.folders, claims)
        extractor = FeatureExtractor(base)
        found = [
            features.compute(copies, destinations, decoders, extractor, store, on_photo)
            for copies in (label_set.training, label_set.audit)
        ]
    (training, problems), (audit, of_audit) = found
    return training, audit, problems + of_audit


def _fit(base: Bundle, live: Bundle, data: Path, cache: Path, out: Path) -> str:
    """Runs the process that fits and judges the candidate; returns what it printed. Raises FoodsortError."""
    options: dict[str, Path] = {
        "--on": base.folder,
        "--against": live.folder,
        "--data": data,
        "--features": cache,
        "--out": out,
    }
    words = [str(word) for option in options.items() for word in option]
    # Without pictures: photos of strangers are decoded in the sandbox alone, and the page shows them.
    command = [sys.executable, "-m", "training", "train", "--no-pictures", *words]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise FoodsortError(f"the candidate could not be fitted: {lines[-1].removeprefix('foodsort: ')}")
    return done.stdout


def _record(
    engine: sa.Engine, candidate: Bundle, live: Bundle, judgement: Judgement, audit: Iterable[LabelledPhoto]
) -> None:
    """Records what both models say of the audit sample, and the event."""
    ids = {photo.sha256: photo.id for photo in audit}
    judged = [photo for photo in judgement.photos if photo.set == "audit" and photo.sha256 in ids]
    with engine.begin() as connection:
        existing = set(connection.execute(sa.select(photos.c.id).where(photos.c.id.in_(ids.values()))).scalars())
        for bundle, of_candidate in ((candidate, True), (live, False)):
            predictions = {
                ids[photo.sha256]: _prediction(photo.candidate if of_candidate else photo.live, bundle)
                for photo in judged
                if ids[photo.sha256] in existing
            }
            judgements.write(connection, add_model(connection, bundle), predictions)
    record(engine, "learned", f"{candidate.model_name} learned from {judgement.labels} labels: {judgement.reason}")


def _prediction(p_food: float, bundle: Bundle) -> Prediction:
    bounded = min(max(p_food, 1e-12), 1 - 1e-12)
    return Prediction(
        logit=bundle.card.temperature * math.log(bounded / (1 - bounded)),
        probability=p_food,
        label=label(p_food, bundle.card.thresholds),
    )


def _sweep(folder: Path) -> None:
    """Removes what processes left that were killed; the caller holds the lock, so none works there."""
    for name in os.listdir(folder):
        if name.startswith(".") and (folder / name).is_dir():
            with suppress(OSError):
                shutil.rmtree(folder / name)
