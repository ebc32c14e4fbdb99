"""Class activation maps as pictures."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.images.decode import Pixels

WARM = (235, 94, 0)
"""Colour of what speaks for food."""
COOL = (20, 90, 235)
"""Colour of what speaks against it; told from WARM by people who do not see red or green."""
_OPACITY = 0.75  # at the end of the scale, so that the photo is still seen
_REACHED = 0.98  # share of places within the scale: a single stronger one would leave the others pale


def scale(maps: npt.NDArray[np.float32]) -> float:
    """The logit (> 0) from which on the colours of maps (n, h, w) are strongest: 98 in 100 places add or take less."""
    return max(float(np.quantile(np.abs(maps), _REACHED)), 1e-6)


def overlay(pixels: Pixels, places: npt.NDArray[np.float32], strongest: float) -> Pixels:
    """A photo, uint8 RGB (height, width, 3), in grey and tinted by what each place (h, w) adds to its logit.

    Warm for food, cool against it; clear at 0, linear up to ± `strongest`; bilinear between the middles of places.
    """
    height, width, _ = pixels.shape
    grey = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))  # its own colours would mix with the tint
    smooth = Image.fromarray(places.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(smooth) / strongest, -1, 1)[..., None]
    tint = np.where(share > 0, WARM, COOL)
    alpha = _OPACITY * np.abs(share)
    return np.asarray(np.rint((1 - alpha) * grey + alpha * tint), np.uint8)
