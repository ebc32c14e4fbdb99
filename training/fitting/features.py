"""Photos to a network's outputs."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.errors import FoodsortError, ImageError
from models.images.decode import Fit, Pixels, decode
from training.fitting.recipe import Recipe

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_THREADS = 4  # decoding is a tenth of the network's time on two cores; more threads only hold more pictures


class Outputs(NamedTuple):
    """A network's outputs: values float32 (m, …), the labels of their photos int (m,), and the photos left out."""

    values: Features
    labels: Labels
    unreadable: "list[Unreadable]"


class Unreadable(NamedTuple):
    """A picture that was left out: its path and why."""

    path: str
    kind: str
    message: str


def pictures(paths: list[str], fit: Fit, unreadable: list[Unreadable]) -> Iterator[tuple[int, Pixels]]:
    """(index, uint8 RGB (side, side, 3)) of each readable photo in order; the others are added to `unreadable`."""

    def one(path: str) -> Pixels | Unreadable:
        try:
            with Path(path).open("rb") as file:
                return decode(file, fit).pixels
        except ImageError as error:
            return Unreadable(path, error.kind, str(error))
        except OSError as error:
            return Unreadable(path, "unreadable", error.strerror or str(error))

    with ThreadPoolExecutor(_THREADS) as pool:
        ahead = iter(range(len(paths)))
        waiting = [(index, pool.submit(one, paths[index])) for index in itertools.islice(ahead, 8 * _THREADS)]
        while waiting:
            index, future = waiting.pop(0)
            waiting.extend((after, pool.submit(one, paths[after])) for after in itertools.islice(ahead, 1))
            picture = future.result()
            if isinstance(picture, Unreadable):
                unreadable.append(picture)
            else:
                yield index, picture


def extract(
    run: Callable[[Pixels], npt.NDArray[np.float32]],
    frame: pd.DataFrame,
    recipe: Recipe,
    progress: Progress,
) -> Outputs:
    """Runs `run` (uint8 pixels (b, side, side, 3) → float32 (b, …)) over the photos of `frame`, of one split.

    A bar on `progress` shows how far it is.
    """
    task = progress.add_task(f"{frame['split'].iloc[0]} photos through the network", total=len(frame))
    unreadable: list[Unreadable] = []
    outputs: list[Features] = []
    rows: list[int] = []
    stream = pictures(list(frame["path"]), recipe.fit, unreadable)
    while chunk := list(itertools.islice(stream, recipe.batch)):
        outputs.append(run(np.stack([pixel for _, pixel in chunk])))
        rows.extend(row for row, _ in chunk)
        progress.update(task, completed=rows[-1] + 1)
    progress.update(task, completed=len(frame))
    if not outputs:
        raise FoodsortError(f"no {frame['split'].iloc[0]} photo could be read; the first: {unreadable[0].message}")
    return Outputs(np.concatenate(outputs), frame["label"].to_numpy()[rows], unreadable)
