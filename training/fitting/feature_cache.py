"""The outputs of the frozen part of a network for each view of a split, computed once and kept on disk."""

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
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.features import Labels, UnreadablePhoto, decode_photos
from training.fitting.recipe import Recipe
from training.fitting.views import View

Network = Callable[[Pixels], npt.NDArray[np.float32]]


class DecodedSplit(NamedTuple):
    """The decoded photos of a split.

    Attributes:
        split: Name of the split.
        pixels: uint8 RGB (m, side, side, 3) of the readable photos, memory-mapped.
        labels: int (m,), 1 = food.
        unreadable: The photos left out.
    """

    split: str
    pixels: Pixels
    labels: Labels
    unreadable: list[UnreadablePhoto]


def decode_split(frame: pd.DataFrame, fit: Fit, checkpoint: Checkpoint, progress: Progress) -> DecodedSplit:
    """Decodes the photos of one split, or maps the pixels that an earlier run decoded.

    Args:
        frame: The photos, columns as from `dataset.read`.
        fit: How they are resized.
        checkpoint: Keeps the pixels.
        progress: Gets a bar.

    Raises:
        FoodsortError: None of the photos can be read.
    """
    split = str(frame["split"].iloc[0])
    task = progress.add_task(f"{split} photos decoded", total=len(frame))
    list_name = f"{split}-unreadable.json"

    def make(part: Path) -> None:
        unreadable: list[UnreadablePhoto] = []
        pixels = np.lib.format.open_memmap(part, "w+", np.uint8, (len(frame), fit.side, fit.side, 3))
        count = 0
        for row, photo in enumerate(decode_photos(list(frame["path"]), fit)):
            if isinstance(photo, UnreadablePhoto):
                unreadable.append(photo)
            else:
                pixels[count] = photo
                count += 1
            progress.update(task, completed=row + 1)
        # The list comes first: complete pixels imply a complete list.
        checkpoint.write(list_name, lambda path: path.write_text(json.dumps(unreadable)))

    pixels: Pixels = checkpoint.load_or_make_array(f"{split}-pixels.npy", make)
    progress.update(task, completed=len(frame))
    rows = json.loads((checkpoint.folder / list_name).read_text())
    unreadable = [UnreadablePhoto(path=path, kind=kind, message=message) for path, kind, message in rows]
    readable = frame[~frame["path"].isin([photo.path for photo in unreadable])]
    if readable.empty:
        raise FoodsortError(f"no {split} photo could be read; the first: {unreadable[0].message}")
    return DecodedSplit(split, pixels[: len(readable)], readable["label"].to_numpy(), unreadable)


class ViewOutputs(NamedTuple):
    """The outputs of a network for one view of a split.

    Attributes:
        values: (k, …) for the k photos that have the view.
        labels: int (k,), 1 = food.
    """

    values: Array
    labels: Labels


class FeatureCache:
    """Computes the outputs of a frozen network for views of photos and keeps them in the checkpoint."""

    def __init__(self, network: Network, dtype: npt.DTypeLike, recipe: Recipe, checkpoint: Checkpoint) -> None:
        """Makes a cache for one network.

        Args:
            network: uint8 pixels (b, side, side, 3) → float32 (b, …).
            dtype: Type in which outputs are stored.
            recipe: Its `batch` and `seed` are used.
            checkpoint: Keeps the outputs.
        """
        self._network = network
        self._dtype = dtype
        self._recipe = recipe
        self._checkpoint = checkpoint

    def view(self, photos: DecodedSplit, view: View, progress: Progress) -> ViewOutputs:
        """Returns the outputs for one view of a split, memory-mapped; computes them if they are missing.

        Args:
            photos: The split.
            view: The view.
            progress: Gets a bar.
        """
        rows = view.rows(len(photos.pixels), self._recipe.seed)
        batch = self._recipe.batch
        task = progress.add_task(f"{photos.split} photos, {view.kind}, through the network", total=len(rows))

        def make(part: Path) -> None:
            transform = view.transform(self._recipe.seed)
            file: Array | None = None
            for start in range(0, len(rows), batch):
                chosen = rows[start : start + batch]
                outputs = self._network(transform(photos.pixels[chosen], chosen))
                if file is None:
                    file = np.lib.format.open_memmap(part, "w+", self._dtype, (len(rows), *outputs.shape[1:]))
                file[start : start + len(outputs)] = outputs
                progress.update(task, completed=start + len(outputs))

        array = self._checkpoint.load_or_make_array(f"{photos.split}-{view.name}.npy", make)
        progress.update(task, completed=len(rows))
        return ViewOutputs(array, photos.labels[rows])
