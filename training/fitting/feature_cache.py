"""Passes of all photos of a split through the frozen part of a network, each done once and kept on disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.errors import FoodsortError
from models.images.decode import Fit, Pixels
from training.fitting.augment import augmenter
from training.fitting.checkpoint import Array, Work
from training.fitting.features import Labels, Unreadable, pictures
from training.fitting.recipe import Recipe

Change = Callable[[Pixels], Pixels]
Run = Callable[[Pixels], npt.NDArray[np.float32]]


class Decoded(NamedTuple):
    """A split's readable photos: pixels uint8 (m, side, side, 3), mapped from disk, labels int (m,), and the others."""

    split: str
    pixels: Pixels
    labels: Labels
    unreadable: list[Unreadable]


def decoded(frame: pd.DataFrame, fit: Fit, work: Work, progress: Progress) -> Decoded:
    """Decodes the photos of `frame`, of one split, or maps what an earlier start decoded.

    Raises FoodsortError when none of them can be read.
    """
    split = str(frame["split"].iloc[0])
    task = progress.add_task(f"{split} photos decoded", total=len(frame))

    def make(part: Path) -> None:
        unreadable: list[Unreadable] = []
        pixels = np.lib.format.open_memmap(part, "w+", np.uint8, (len(frame), fit.side, fit.side, 3))
        for at, (row, picture) in enumerate(pictures(list(frame["path"]), fit, unreadable)):
            pixels[at] = picture
            progress.update(task, completed=row + 1)
        work.write(f"{split}-unreadable.json", lambda path: path.write_text(json.dumps(unreadable)))

    pixels: Pixels = work.array(f"{split}-pixels.npy", make)
    progress.update(task, completed=len(frame))
    listed = json.loads((work.folder / f"{split}-unreadable.json").read_text())
    unreadable = [Unreadable(*one) for one in listed]
    readable = frame[~frame["path"].isin([one.path for one in unreadable])]
    if readable.empty:
        raise FoodsortError(f"no {split} photo could be read; the first: {unreadable[0].message}")
    return Decoded(split, pixels[: len(readable)], readable["label"].to_numpy(), unreadable)


def seen(
    run: Run, photos: Decoded, view: int, recipe: Recipe, work: Work, progress: Progress, dtype: npt.DTypeLike
) -> Array:
    """What `run` makes of a split's photos, (m, …) of `dtype`, mapped from disk; worked out where it is not there yet.

    view: 0 shows the photos as they are, 1 their mirror images, any other number mildly changed ones, see `change`.
    """
    task = progress.add_task(f"{photos.split} photos, view {view + 1}, through the network", total=len(photos.pixels))

    def make(part: Path) -> None:
        changed, file = change(view, recipe.seed), None
        for at in range(0, len(photos.pixels), recipe.batch):
            outputs = run(changed(photos.pixels[at : at + recipe.batch]))
            if file is None:
                file = np.lib.format.open_memmap(part, "w+", dtype, (len(photos.pixels), *outputs.shape[1:]))
            file[at : at + len(outputs)] = outputs
            progress.update(task, completed=at + len(outputs))

    array = work.array(f"{photos.split}-view{view}.npy", make)
    progress.update(task, completed=len(photos.pixels))
    return array


def change(view: int, seed: int) -> Change:
    """What a view does to pictures, uint8 (n, side, side, 3) → the same."""
    if view == 0:
        return lambda pixels: pixels
    if view == 1:
        return lambda pixels: pixels[:, :, ::-1]
    return augmenter(1000 * seed + view)
