"""Draws class activation maps over photos."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.images.decode import Pixels

WARM = (235, 94, 0)
"""Colour of evidence for food."""
COOL = (20, 90, 235)
"""Colour of evidence against food; people with red-green colour blindness can distinguish it from WARM."""
_OPACITY = 0.75  # at the end of the scale; less than 1 keeps the photo visible
_QUANTILE = 0.98  # share of places within the scale: a single extreme one would leave the others pale


def scale(maps: npt.NDArray[np.float32]) -> float:
    """Returns the logit (> 0) of full colour for maps (n, h, w): 98 % of the places contribute less."""
    return max(float(np.quantile(np.abs(maps), _QUANTILE)), 1e-6)


def overlay(pixels: Pixels, places: npt.NDArray[np.float32], strongest: float) -> Pixels:
    """Tints a grey version of a photo by the contribution of each place: warm for food, cool against it.

    The tint is clear at 0 and linear up to ± `strongest`; it is interpolated bilinearly between the centres of places.

    Args:
        pixels: The photo, uint8 RGB (height, width, 3).
        places: The contributions, float32 (h, w).
        strongest: The logit of full colour, see `scale`.

    Returns:
        uint8 RGB (height, width, 3).
    """
    height, width, _ = pixels.shape
    grey = np.asarray(
        Image.fromarray(pixels).convert("L").convert("RGB")
    )  # the photo's colours would mix with the tint
    smooth = Image.fromarray(places.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(smooth) / strongest, -1, 1)[..., None]
    tint = np.where(share > 0, WARM, COOL)
    alpha = _OPACITY * np.abs(share)
    return np.asarray(np.rint((1 - alpha) * grey + alpha * tint), np.uint8)
