"""Decoded photos and a network's outputs for them."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.errors import FoodsortError, ImageError
from models.images.decode import Fit, Pixels, decode
from training.fitting.photo_file import open_photo
from training.fitting.recipe import Recipe

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_THREADS = 4  # decoding takes a tenth of the network's time on two cores; more threads only hold more photos in memory
_PREFETCH = 8 * _THREADS


class UnreadablePhoto(NamedTuple):
    """A photo that could not be decoded.

    Attributes:
        path: Path of the file.
        kind: Kind of the error, such as `truncated`.
        message: The error for people.
    """

    path: str
    kind: str
    message: str


class NetworkOutputs(NamedTuple):
    """The outputs of a network for the m readable photos of a split.

    Attributes:
        values: float32 (m, …).
        labels: int (m,), 1 = food.
        unreadable: The photos left out.
    """

    values: Features
    labels: Labels
    unreadable: list[UnreadablePhoto]


def decode_photos(paths: list[str], fit: Fit) -> Iterator[Pixels | UnreadablePhoto]:
    """Decodes photos in parallel.

    Yields:
        For each path, in order: uint8 RGB (side, side, 3), or the error of a photo that could not be read.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        remaining = iter(paths)
        first_paths = itertools.islice(remaining, _PREFETCH)
        futures = deque(pool.submit(_decode_photo, fit, path) for path in first_paths)
        while futures:
            future = futures.popleft()
            futures.extend(pool.submit(_decode_photo, fit, path) for path in itertools.islice(remaining, 1))
            yield future.result()


def _decode_photo(fit: Fit, path: str) -> Pixels | UnreadablePhoto:
    try:
        with open_photo(path) as file:
            return decode(file, fit).pixels
    except ImageError as error:
        return UnreadablePhoto(path, error.kind, str(error))
    except OSError as error:
        return UnreadablePhoto(path, "unreadable", error.strerror or str(error))


def extract(
    run: Callable[[Pixels], npt.NDArray[np.float32]],
    frame: pd.DataFrame,
    recipe: Recipe,
    progress: Progress,
) -> NetworkOutputs:
    """Runs a network over the photos of one split.

    Args:
        run: The network: uint8 pixels (b, side, side, 3) → float32 (b, …).
        frame: The photos, columns as from `dataset.read`.
        recipe: Its `fit` and `batch` are used.
        progress: Gets a bar.

    Raises:
        FoodsortError: None of the photos can be read.
    """
    split = str(frame["split"].iloc[0])
    task = progress.add_task(f"{split} photos through the network", total=len(frame))
    unreadable: list[UnreadablePhoto] = []
    outputs: list[Features] = []
    rows: list[int] = []
    batch: list[Pixels] = []
    for row, photo in enumerate(decode_photos(list(frame["path"]), recipe.fit)):
        if isinstance(photo, UnreadablePhoto):
            unreadable.append(photo)
        else:
            batch.append(photo)
            rows.append(row)
        if len(batch) == recipe.batch or (batch and row + 1 == len(frame)):
            outputs.append(run(np.stack(batch)))
            batch = []
        progress.update(task, completed=row + 1)
    if not outputs:
        raise FoodsortError(f"no {split} photo could be read; the first: {unreadable[0].message}")
    return NetworkOutputs(np.concatenate(outputs), frame["label"].to_numpy()[rows], unreadable)
