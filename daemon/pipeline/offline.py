"""`foodsort classify`: labels for files and folders, nothing moved and nothing recorded."""

import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from daemon.decoders.pool import DecoderPool
from daemon.inbox.ignore import IgnoreRules
from models.bundle import Bundle
from models.decision import label, probability
from models.engines import Engine
from models.errors import ImageError
from models.filenames import escape_name
from models.images.decode import Picture

_BATCH = 8  # for each stream of the engine


def classify(paths: Iterable[Path], bundle: Bundle, engine: Engine, decoders: DecoderPool) -> Iterator[dict[str, Any]]:
    """One dictionary a photo, in order: path, label, probability (calibrated P(food)), model; or path, error, message.

    Folders stand for every file below them that is not ignored.
    """
    files = _files(paths)
    with ThreadPoolExecutor(decoders.size) as threads:
        while batch := list(itertools.islice(files, _BATCH * engine.streams)):
            read = list(threads.map(lambda path: _read(path, decoders), batch))
            pixels = [picture.pixels for picture in read if isinstance(picture, Picture)]
            logits = engine.logits(np.stack(pixels)) if pixels else np.zeros(0, np.float32)
            p_food = iter(probability(logits, bundle.card.temperature))
            for path, picture in zip(batch, read, strict=True):
                said = {"path": escape_name(os.fsencode(path))}
                if isinstance(picture, Picture):
                    p = float(next(p_food))
                    verdict = label(p, bundle.card.thresholds)
                    yield said | {"label": verdict, "probability": p, "model": bundle.model_name}
                else:
                    yield said | {"error": picture[0], "message": picture[1]}


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    ignore = IgnoreRules()
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, below, names in os.walk(path):
            below[:] = sorted(name for name in below if not ignore(os.fsencode(name)))
            yield from (Path(folder, name) for name in sorted(names) if not ignore(os.fsencode(name)))


def _read(path: Path, decoders: DecoderPool) -> Picture | tuple[str, str]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hang us
        try:
            return decoders.decode(fd)
        finally:
            os.close(fd)
    except ImageError as error:
        return error.kind, str(error)
    except OSError as error:
        return "unreadable", error.strerror or str(error)
