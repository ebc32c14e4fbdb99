"""Classifies files outside the daemon; moves and records nothing."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict, final

import numpy as np

from daemon.decoders.pool import DecoderPool
from daemon.inbox.ignore import IgnoreRules
from daemon.photo import Failure, Prediction
from daemon.pipeline.classify import label_logits, run_network
from models import Label
from models.bundle import Bundle
from models.engines.base import Engine
from models.errors import ImageError
from models.filenames import escape_name
from models.images.decode import Picture

_BATCH = 8  # photos for each stream of the engine


@final
class LabelledPhoto(TypedDict):
    """Result for a photo.

    Attributes:
        path: Path as given, escaped.
        label: Its label.
        probability: Calibrated P(food) in [0, 1].
        model: Name of the model.
    """

    path: str
    label: Label
    probability: float
    model: str


@final
class FailedPhoto(TypedDict):
    """Result for a file that could not be decoded.

    Attributes:
        path: Path as given, escaped.
        error: Kind of the failure.
        message: Message for people.
    """

    path: str
    error: str
    message: str


def classify(
    paths: Iterable[Path], bundle: Bundle, engine: Engine, decoders: DecoderPool
) -> Iterator[LabelledPhoto | FailedPhoto]:
    """Classifies photos.

    Args:
        paths: Files, and folders for all files in them that are not ignored.
        bundle: Bundle of the model.
        engine: Engine that runs it.
        decoders: Pool that decodes the photos.

    Yields:
        A result for each photo, in order.

    Raises:
        EngineError: The engine failed.
    """
    files = _files(paths)
    while batch := list(itertools.islice(files, _BATCH * engine.streams)):
        for path, outcome in zip(batch, predict(batch, bundle, engine, decoders), strict=True):
            name = escape_name(os.fsencode(path))
            if isinstance(outcome, Failure):
                yield FailedPhoto(path=name, error=outcome.kind, message=outcome.message)
            else:
                _, prediction = outcome
                yield LabelledPhoto(
                    path=name,
                    label=prediction.label,
                    probability=prediction.probability,
                    model=bundle.model_name,
                )


def predict(
    photos: Sequence[Path | int], bundle: Bundle, engine: Engine, decoders: DecoderPool, *, unsure: bool = False
) -> list[tuple[Picture, Prediction] | Failure]:
    """Classifies photos with one run of the network.

    Args:
        photos: Paths, or descriptors of open files.
        bundle: Bundle of the model.
        engine: Engine that runs it.
        decoders: Pool that decodes the photos.
        unsure: Whether photos between the thresholds get the label `unsure`.

    Returns:
        For each photo its picture and prediction, or why it has none.

    Raises:
        EngineError: The engine failed.
    """
    with ThreadPoolExecutor(decoders.size) as threads:
        decoded = list(threads.map(lambda photo: _decode(photo, decoders), photos))
    pixels = [picture.pixels for picture in decoded if isinstance(picture, Picture)]
    logits = run_network(np.stack(pixels), engine, bundle.card) if pixels else []
    predictions = iter(label_logits(logits, bundle.card, unsure=unsure))
    return [picture if isinstance(picture, Failure) else (picture, next(predictions)) for picture in decoded]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    ignore = IgnoreRules()
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not ignore(os.fsencode(name)))
            yield from (Path(folder, name) for name in sorted(names) if not ignore(os.fsencode(name)))


def _decode(photo: Path | int, decoders: DecoderPool) -> Picture | Failure:
    try:
        if isinstance(photo, int):
            return decoders.decode(photo)
        fd = os.open(photo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hang us
        try:
            return decoders.decode(fd)
        finally:
            os.close(fd)
    except ImageError as error:
        return Failure(error.kind, str(error))
    except OSError as error:
        return Failure("unreadable", error.strerror or str(error))
