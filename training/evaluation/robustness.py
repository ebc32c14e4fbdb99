"""How a model takes photos that are small, squeezed, blurred, grey, turned, dark or cut."""

import contextlib
import io
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from rich.progress import Progress

from models.decision import probability
from models.engines.base import Engine, Logits
from models.images.colours import eight_bits, to_rgb
from models.images.decode import Fit, Pixels, decode
from models.images.formats import FORMATS, as_image_errors
from models.intervals import wilson_interval
from training.evaluation.predictions import Judged

_SMALL_PX = 96
_JPEG_QUALITY = 20
_BLUR = 1 / 160  # of the longer side: a radius of 2 px on a photo of 320 px
_DARKER = 0.7
_THREADS = 4  # as in `training.features`
_CHUNK = 8


class Row(NamedTuple):
    """How the photos fare after a disturbance: the share that is right, its 95 % interval, and how many labels change."""

    disturbance: str
    accuracy: float
    accuracy_ci95: tuple[float, float]
    changed: int


def small(photo: Image.Image) -> Image.Image:
    """Scaled down until the longer side has 96 px, and back to its size; a smaller photo stays as it is."""
    tiny = photo.copy()
    tiny.thumbnail((_SMALL_PX, _SMALL_PX))
    return tiny.resize(photo.size, Image.Resampling.BILINEAR)


def squeezed(photo: Image.Image) -> Image.Image:
    """Stored as JPEG of quality 20 and read back."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=_JPEG_QUALITY)
    return Image.open(file).convert("RGB")


def blurred(photo: Image.Image) -> Image.Image:
    """Gaussian blur whose radius (standard deviation) is 1/160 of the longer side."""
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) * _BLUR))


def grey(photo: Image.Image) -> Image.Image:
    """Without colour: ITU-R 601 luma in all three channels."""
    return photo.convert("L").convert("RGB")


def turned(photo: Image.Image) -> Image.Image:
    """A quarter turn to the left."""
    return photo.transpose(Image.Transpose.ROTATE_90)


def darker(photo: Image.Image) -> Image.Image:
    """Each level 30 % lower."""
    return photo.point([round(_DARKER * level) for level in range(256)] * 3)


def centre(photo: Image.Image) -> Image.Image:
    """The middle half of both sides, a quarter of the photo."""
    width, height = photo.size
    half = (math.ceil(width / 2), math.ceil(height / 2))
    left, top = (width - half[0]) // 2, (height - half[1]) // 2
    return photo.crop((left, top, left + half[0], top + half[1]))


DISTURBANCES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "small": small,
    "squeezed": squeezed,
    "blurred": blurred,
    "grey": grey,
    "turned": turned,
    "darker": darker,
    "centre": centre,
}
"""By name in `metrics.json`: 8-bit RGB photo → disturbed one, before it is fitted to the network's square."""


def measure(judged: Judged, engine: Engine, progress: Progress) -> list[Row]:
    """One Row a disturbance of the photos in `judged`, in the order of DISTURBANCES. A bar on `progress` shows how far it is.

    Raises ImageError or OSError when a photo cannot be read any more.
    """
    logits = _logits(list(judged.photos["path"]), judged.bundle.card.fit, engine, progress)
    rows = []
    for name, values in logits.items():
        called_food = probability(values, judged.bundle.card.temperature) >= judged.threshold
        right = int((called_food == (judged.labels == 1)).sum())
        changed = int((called_food != (judged.p_food >= judged.threshold)).sum())
        rows.append(Row(name, right / len(values), wilson_interval(right, len(values)), changed))
    return rows


def _logits(paths: list[str], fit: Fit, engine: Engine, progress: Progress) -> dict[str, Logits]:
    """The logits (n,) after each disturbance; every file is read once."""
    task = progress.add_task("disturbed photos through the network", total=len(paths))
    parts = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), _CHUNK):
            views = np.stack(list(pool.map(lambda path: _views(path, fit), paths[start : start + _CHUNK])), axis=1)
            parts.append([engine.logits(pixels) for pixels in views])
            progress.update(task, completed=start + views.shape[1])
    return dict(zip(DISTURBANCES, np.concatenate(parts, axis=1), strict=True))


def _views(path: str, fit: Fit) -> Pixels:
    """uint8 RGB (7, side, side, 3): the photo after each disturbance, as the network sees it."""
    photo = upright(path, fit)
    return np.stack([fitted(disturb(photo), fit) for disturb in DISTURBANCES.values()])


def fitted(photo: Image.Image, fit: Fit) -> Pixels:
    """An 8-bit RGB photo as uint8 RGB (side, side, 3), through the one decode path."""
    file = io.BytesIO()
    photo.save(file, "BMP")  # lossless, and faster than PNG
    return decode(file.getvalue(), fit).pixels


def upright(path: str, fit: Fit) -> Image.Image:
    """The whole photo, 8-bit sRGB, turned as the camera says, at the JPEG scale that `models.images.decode` would choose.

    Raises ImageError when it is no whole picture.
    """
    with Path(path).open("rb") as file, as_image_errors(file), Image.open(file, formats=FORMATS) as image:
        image.draft(None, (fit.draft * fit.side, fit.draft * fit.side))
        image.load()
        plain = to_rgb(eight_bits(image))
        with contextlib.suppress(Exception):  # a damaged EXIF block says nothing of the picture
            plain.info["exif"] = image.getexif().tobytes()  # after load(): some plug-ins turn the picture themselves
        return ImageOps.exif_transpose(plain)
