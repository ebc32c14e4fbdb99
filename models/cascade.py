"""Looks at each photo at a small side first, and again at the full side only where the small look is not sure."""

from collections.abc import Callable, Sequence
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
    (looks,) = look_with_all(lambda chosen: run(chosen)[:, None], pixels, [cascade])
    return looks


def look_with_all(
    run: Callable[[Pixels], Logits], pixels: Pixels, cascades: Sequence[Cascade | None]
) -> tuple[Looks, ...]:
    """Computes the logits of photos by m models with one network, each with one look or two.

    The network looks again at the photos of which one of the models is not sure.

    Args:
        run: The network: uint8 RGB (n, side, side, 3) → float32 (n, m), for the sides of all looks.
        pixels: uint8 RGB (n, side, side, 3) at the full side, n ≥ 1.
        cascades: The small look of each model, all of the same side; None for one look at the full side.
    """
    full = pixels.shape[1]
    again = np.ones((len(pixels), len(cascades)), bool)
    logits = np.zeros((len(pixels), len(cascades)), np.float32)
    small = next((cascade.side for cascade in cascades if cascade), full)
    if any(cascades):
        logits = run(reduce(pixels, small)).copy()
        for number, cascade in enumerate(cascades):
            if cascade:
                again[:, number] = needs_second_look(logits[:, number], cascade.margin)
    rows = again.any(axis=1)
    if rows.any():
        logits[rows] = np.where(again[rows], run(pixels[rows]), logits[rows])
    sides = np.where(again, full, small)
    return tuple(Looks(logits[:, number], sides[:, number]) for number in range(len(cascades)))


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
