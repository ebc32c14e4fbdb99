"""The outputs of the frozen part of a network for each view of a split, computed once and kept on disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.cascade import reduce
from models.errors import FoodsortError
from models.images.decode import Fit, Pixels
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.disk import new_array
from training.fitting.features import Labels, UnreadablePhoto, decode_photos
from training.fitting.recipe import Recipe
from training.fitting.views import Rows, View

Network = Callable[[Pixels], npt.NDArray[np.float32]]


class DecodedSplit(NamedTuple):
    """The decoded photos of a split.

    Attributes:
        split: Name of the split.
        pixels: uint8 RGB (m, side, side, 3) of the readable photos, memory-mapped.
        labels: int (m,), 1 = food.
        paths: Path of each photo (m).
        sources: Source of each photo (m), "" if unknown.
        data_sets: int (m,), the number of the data set, from 0.
        unreadable: The photos left out.
    """

    split: str
    pixels: Pixels
    labels: Labels
    paths: list[str]
    sources: list[str]
    data_sets: Labels
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
        pixels = new_array(part, np.uint8, (len(frame), fit.side, fit.side, 3))
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
    return DecodedSplit(
        split=split,
        pixels=pixels[: len(readable)],
        labels=readable["label"].to_numpy(),
        paths=list(readable["path"]),
        sources=list(readable["source"]),
        data_sets=readable["data_set"].to_numpy(),
        unreadable=unreadable,
    )


class ViewOutputs(NamedTuple):
    """The outputs of a network for one view of a split.

    Attributes:
        values: (k, …) for the k photos that have the view.
        labels: int (k,), 1 = food.
        rows: int (k,), the rows of these photos in the split, ascending.
    """

    values: Array
    labels: Labels
    rows: Rows


class FeatureCache:
    """Computes the outputs of a frozen network for views of photos and keeps them in the checkpoint."""

    def __init__(
        self, name: str, network: Network, dtype: npt.DTypeLike, recipe: Recipe, checkpoint: Checkpoint
    ) -> None:
        """Makes a cache for one network.

        Args:
            name: Name of its outputs in the checkpoint.
            network: uint8 pixels (b, side, side, 3) → float32 (b, …).
            dtype: Type in which outputs are stored.
            recipe: Its `batch` and `seed` are used.
            checkpoint: Keeps the outputs.
        """
        self._name = name
        self._network = network
        self._dtype = dtype
        self.recipe = recipe
        self._checkpoint = checkpoint

    def view(self, photos: DecodedSplit, view: View, progress: Progress, side: int | None = None) -> ViewOutputs:
        """Returns the outputs for one view of a split, memory-mapped; computes them if they are missing.

        Args:
            photos: The split.
            view: The view.
            progress: Gets a bar.
            side: The pixels of the view are reduced to this side; None leaves them as they are.
        """
        rows = view.rows(len(photos.pixels), self.recipe.seed)
        batch = self.recipe.batch
        small = "" if side is None else f" at {side} px"
        task = progress.add_task(f"{photos.split} photos, {view.kind}{small}, through the network", total=len(rows))

        def make(part: Path) -> None:
            transform = view.transform(self.recipe.seed)
            file: Array | None = None
            for start in range(0, len(rows), batch):
                chosen = rows[start : start + batch]
                pixels = transform(photos.pixels[chosen], chosen)
                outputs = self._network(pixels if side is None else reduce(pixels, side))
                if file is None:
                    file = new_array(part, self._dtype, (len(rows), *outputs.shape[1:]))
                file[start : start + len(outputs)] = outputs
                progress.update(task, completed=start + len(outputs))

        array = self._checkpoint.load_or_make_array(
            f"{self._name}-{photos.split}-{view.name}-{side or 'full'}.npy", make
        )
        progress.update(task, completed=len(rows))
        return ViewOutputs(array, photos.labels[rows], rows)
