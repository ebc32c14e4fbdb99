"""Views of photos: changed copies, on which a network is trained too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.images.decode import Pixels
from training.fitting.augment import augmenter

Rows = npt.NDArray[np.int64]

MIN_PART = 0.5
"""Smallest share of a side that a `part` keeps."""


@dataclass(frozen=True)
class View:
    """A view of the photos of a split.

    Attributes:
        kind: `original`; `mirror` image; `grey` picture; a random `part`, half to all of each side; or `augmented`.
        share: Share of the photos that get it, 0 to 1.
        number: Tells two views of one kind apart: they choose other photos, parts and augmentations.
    """

    kind: Literal["original", "mirror", "grey", "part", "augmented"]
    share: float = 1.0
    number: int = 0

    @property
    def name(self) -> str:
        """Name for files."""
        return f"{self.kind}{self.number or ''}"

    def rows(self, count: int, seed: int) -> Rows:
        """Returns the rows of the photos that get this view, ascending.

        Args:
            count: Number of photos.
            seed: Seed of the training.
        """
        if self.share >= 1:
            return np.arange(count)
        chosen = self._random(seed, 0).permutation(count)[: round(self.share * count)]
        return np.sort(chosen)

    def transform(self, seed: int) -> Callable[[Pixels, Rows], Pixels]:
        """Returns a function that makes this view of photos.

        Args:
            seed: Seed of the training.

        Returns:
            A function of uint8 RGB pixels (n, side, side, 3) and the rows of these photos; it returns the same shape.
        """
        if self.kind == "mirror":
            return lambda pixels, rows: pixels[:, :, ::-1]
        if self.kind == "grey":
            return lambda pixels, rows: np.stack([np.asarray(to_greyscale(Image.fromarray(photo))) for photo in pixels])
        if self.kind == "part":
            return lambda pixels, rows: np.stack(
                [_part(photo, self._random(seed, int(row) + 1)) for photo, row in zip(pixels, rows, strict=True)]
            )
        if self.kind == "augmented":
            augment = augmenter(1000 * seed + self.number)
            return lambda pixels, rows: augment(pixels)
        return lambda pixels, rows: pixels

    def _random(self, seed: int, photo: int) -> np.random.Generator:
        return np.random.default_rng([seed, self.number, photo])


ORIGINAL = View("original")
MIRROR = View("mirror")


def to_greyscale(photo: Image.Image) -> Image.Image:
    """Removes colour: ITU-R 601 luma in all three channels."""
    return photo.convert("L").convert("RGB")


def _part(photo: Pixels, random: np.random.Generator) -> Pixels:
    """A random part of a photo, resized to its side; each side is cut on its own."""
    side = photo.shape[0]
    width, height = side * random.uniform(MIN_PART, 1, 2)
    left, top = random.uniform(0, 1, 2) * (side - width, side - height)
    box = (left, top, left + width, top + height)
    resized: Any = Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC, box)
    return np.asarray(resized)
