"""Looks at each photo at a small side first, and again at the full side only where the small look is not sure."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from models.images.decode import Pixels

Logits = npt.NDArray[np.float32]
Sides = npt.NDArray[np.int64]


class Cascade(BaseModel):
    """The small look of a model.

    Attributes:
        side: Side of its pictures (pixels).
        margin: A photo is looked at again if the absolute value of the small look's logit is below it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = Field(gt=0)
    margin: float = Field(ge=0)


class Looks(NamedTuple):
    """The results of n photos.

    Attributes:
        logits: float32 (n,), of the look that decided.
        sides: int (n,), the side of the pictures of that look (pixels).
    """

    logits: Logits
    sides: Sides


def look(run: Callable[[Pixels], Logits], pixels: Pixels, cascade: Cascade | None) -> Looks:
    """Computes the logits of photos, with one look or two.

    Args:
        run: The network: uint8 RGB (n, side, side, 3) → float32 (n,), for the sides of both looks.
        pixels: uint8 RGB (n, side, side, 3) at the full side, n ≥ 1.
        cascade: The small look; None for one look at the full side.
    """
    full = pixels.shape[1]
    if cascade is None:
        return Looks(run(pixels), np.full(len(pixels), full))
    logits = run(reduce(pixels, cascade.side))
    again = needs_second_look(logits, cascade.margin)
    if again.any():
        logits = logits.copy()
        logits[again] = run(pixels[again])
    return Looks(logits, np.where(again, full, cascade.side))


def needs_second_look(small: Logits, margin: float) -> npt.NDArray[np.bool_]:
    """Returns which photos are looked at again: (n,) for the logits of the small look."""
    return np.asarray(np.abs(small) < margin)


def combine(logits: Logits, margin: float) -> Logits:
    """Returns the logits (n,) that decide, of logits (n, 2): the full look's and the small look's."""
    full, small = logits[:, 0], logits[:, 1]
    return np.where(needs_second_look(small, margin), full, small)


def reduce(pixels: Pixels, side: int) -> Pixels:
    """Reduces pictures by the mean of areas: uint8 RGB (n, s, s, 3) → (n, side, side, 3)."""
    size = (side, side)
    return np.stack([np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX)) for photo in pixels])
