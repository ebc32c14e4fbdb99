"""Samples of a TIFF of any type as levels of 8 bits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from tifffile import TiffPage

Pixels = npt.NDArray[np.uint8]

# TIFF 6.0, PhotometricInterpretation and SampleFormat.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
CHANNELS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    MASK: 1,
    CMYK: 4,
    YCBCR: 3,
    CIELAB: 3,
    ICCLAB: 3,
}
"""Samples per pixel of each photometric interpretation, without alpha."""

_WHITES = (1.0, 255.0, 65535.0)
"""White in floating-point pictures: they hold 0 to 1, or the levels of 8 or 16 bits."""
_HIGHLIGHTS = 2.0
"""Most values are at most this many times white, since highlights exceed white."""
_SHARE = 95
"""How many values are meant by most (%)."""
_OVERSHOOT = 1.5
"""Up to this many times white, the largest value is white: nothing is lost, and the picture is little darker."""
_SAMPLES = 1 << 14
"""Number of values of each piece that are looked at."""
_PIECE = 1 << 22
"""Number of samples of a piece."""


class Levels:
    """Converts the samples of one page.

    Attributes:
        channels: Number of channels of the result, without alpha.
    """

    def __init__(self, page: TiffPage, colours: int) -> None:
        """Reads all floating-point values once to find white.

        Args:
            page: The page.
            colours: The photometric interpretation of its decoded samples.
        """
        self.channels = 3 if colours == PALETTE else CHANNELS[colours]
        self._bits = page.bitspersample
        self._format = page.sampleformat
        self._is_lab = colours in {CIELAB, ICCLAB}
        self._is_offset = colours == ICCLAB
        self._colormap = page.colormap if colours == PALETTE else None
        self._white = _white(page) if self._format == FLOAT and not self._is_lab else 1.0

    def convert(self, samples: npt.NDArray[Any]) -> Pixels:
        """Converts samples (rows, columns, samples) of any real dtype to uint8 of the same shape.

        L* becomes 0 to 255, and a* and b* become two's complement. Indices become RGB.
        """
        if self._colormap is not None:
            colours: Pixels = np.moveaxis(self._colormap[:, samples[..., 0]] >> 8, 0, -1).astype(np.uint8)
            return colours
        if self._is_lab:
            return self._lab(samples)
        if self._format == FLOAT:
            with np.errstate(all="ignore"):
                scaled = np.nan_to_num(samples.astype(np.float32) / np.float32(self._white), posinf=1.0, neginf=0.0)
            levels: Pixels = (np.clip(scaled, 0, 1) * np.float32(255)).astype(np.uint8)
            return levels
        return _integers(samples, self._bits, is_signed=self._format == SIGNED)

    def _lab(self, samples: npt.NDArray[Any]) -> Pixels:
        if self._format == FLOAT:
            scaled = np.nan_to_num(samples.astype(np.float32) * np.array([2.55, 1, 1], np.float32))
            rounded: npt.NDArray[np.int16] = np.rint(np.clip(scaled, (0, -128, -128), (255, 127, 127))).astype(np.int16)
            return rounded.astype(np.uint8)
        levels: Pixels = (samples >> samples.dtype.type(self._bits - 8)).astype(np.uint8)
        if self._is_offset:
            levels[..., 1:] ^= 0x80
        return levels


def pieces(page: TiffPage) -> Iterator[tuple[npt.NDArray[Any], int, int, int]]:
    """Yields the decoded samples (rows, columns, samples) of a page in pieces, with their plane, first row and column."""
    for data, (plane, _, top, left, _), _ in page.segments(maxworkers=1):
        if data is not None:
            # A whole image may be one strip, and a conversion needs several copies of its samples.
            rows = max(_PIECE // max(data[0, 0].size, 1), 1)
            for start in range(0, data.shape[1], rows):
                yield data[0, start : start + rows], plane, top + start, left


def _integers(samples: npt.NDArray[Any], bits: int, *, is_signed: bool) -> Pixels:
    """Scales the whole range of unsigned integers, and the positive half of signed ones, to 0 to 255."""
    if is_signed:
        samples, bits = np.maximum(samples, samples.dtype.type(0)), bits - 1
    if bits >= 8:
        shifted: Pixels = (samples >> samples.dtype.type(bits - 8)).astype(np.uint8)
        return shifted
    return (samples.astype(np.uint16) * 255 // ((1 << bits) - 1)).astype(np.uint8)


def _white(page: TiffPage) -> float:
    """Returns the value that is shown as white, by all values of a page."""
    seen, largest = [], 0.0
    for samples, *_ in pieces(page):
        values = samples[np.isfinite(samples)]
        largest = max(largest, float(values.max(initial=0)))
        seen.append(values[:: values.size // _SAMPLES + 1].astype(np.float64))
    values = np.sort(np.concatenate(seen)) if seen else np.zeros(0)  # numpy's percentile imports more of numpy
    usual = float(values[values.size * _SHARE // 100]) if values.size else 0.0
    white = next((white for white in _WHITES if usual <= _HIGHLIGHTS * white), usual)
    return largest if white < largest <= _OVERSHOOT * white else white
