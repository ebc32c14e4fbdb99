"""Classifies files outside the daemon; moves and records nothing."""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypedDict, final

from daemon.decoders.pool import DecoderPool
from daemon.inbox.ignore import IgnoreRules
from daemon.photo import Failure
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.predictor import Predictor, decode_open
from models import Label
from models.bundle import Bundle
from models.engines.base import Engine
from models.filenames import escape_name
from models.images.decode import Picture

_BATCH = 8  # photos


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
    with Predictor(LoadedModel(bundle, engine), partial(_decode, decoders=decoders), decoders.size) as predictor:
        for path, outcome in predictor.stream(_files(paths), _BATCH):
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


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    ignore = IgnoreRules()
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not ignore(os.fsencode(name)))
            yield from (Path(folder, name) for name in sorted(names) if not ignore(os.fsencode(name)))


def _decode(path: Path, decoders: DecoderPool) -> Picture | Failure:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hang us
    except OSError as error:
        return Failure("unreadable", error.strerror or str(error))
    try:
        return decode_open(fd, decoders)
    finally:
        os.close(fd)
