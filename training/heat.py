"""Class activation maps as pictures."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.images import Pixels

WARM = (235, 94, 0)
"""Colour of what speaks for food."""
COOL = (20, 90, 235)
"""Colour of what speaks against it; told from WARM by people who do not see red or green."""
_OPACITY = 0.7  # at the end of the scale, so that the photo is still seen


def scale(maps: npt.NDArray[np.float32]) -> float:
    """The logit (> 0) at which the colours of maps (n, h, w) are strongest: the largest that any place adds or takes."""
    return max(float(np.abs(maps).max(initial=0.0)), 1e-6)


def overlay(pixels: Pixels, places: npt.NDArray[np.float32], strongest: float) -> Pixels:
    """A photo, uint8 RGB (side, side, 3), tinted by what each place (h, w) adds to its logit: warm for food, cool against.

    Clear at 0, linear up to ± `strongest`; between the middles of places bilinear.
    """
    side = pixels.shape[0]
    smooth = Image.fromarray(places.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(smooth) / strongest, -1, 1)[..., None]
    tint = np.where(share > 0, WARM, COOL)
    alpha = _OPACITY * np.abs(share)
    return np.asarray(np.rint((1 - alpha) * pixels + alpha * tint), np.uint8)
