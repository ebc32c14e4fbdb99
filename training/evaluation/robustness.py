"""Robustness of a model to perturbed photos: small, compressed, blurred, grey, rotated, dark or cropped."""

import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypedDict

import numpy as np
from PIL import Image, ImageFilter
from rich.progress import Progress

from models.bundle import Card
from models.cascade import look
from models.decision import probability
from models.engines.base import Engine, Logits
from models.images import decode as images
from models.images.decode import Fit, Pixels, decode
from models.intervals import wilson_interval
from training.evaluation.predictions import Predictions
from training.fitting.photo_file import open_photo
from training.fitting.views import to_greyscale

_SMALL_PX = 96
_JPEG_QUALITY = 20
_BLUR = 1 / 160  # of the longer side: a radius of 2 px on a photo of 320 px
_BRIGHTNESS = 0.7
_THREADS = 4  # as in `training.fitting.features`
_CHUNK = 8


class RobustnessResult(NamedTuple):
    """The accuracy after a perturbation.

    Attributes:
        perturbation: Its name.
        accuracy: Share of the perturbed photos with the right label.
        accuracy_ci95: Its 95 % interval.
        changed: Photos whose predicted label changes.
    """

    perturbation: str
    accuracy: float
    accuracy_ci95: tuple[float, float]
    changed: int


class RobustnessMetrics(TypedDict):
    """A perturbation in `metrics.json`."""

    accuracy: float
    accuracy_ci95: list[float]
    changed: int


def downscale(photo: Image.Image) -> Image.Image:
    """Scales down until the longer side has 96 px, and back to the original size; leaves smaller photos unchanged."""
    tiny = photo.copy()
    tiny.thumbnail((_SMALL_PX, _SMALL_PX))
    return tiny.resize(photo.size, Image.Resampling.BILINEAR)


def compress(photo: Image.Image) -> Image.Image:
    """Compresses as JPEG of quality 20."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=_JPEG_QUALITY)
    return Image.open(file).convert("RGB")


def blur(photo: Image.Image) -> Image.Image:
    """Applies a Gaussian blur with a standard deviation of 1/160 of the longer side."""
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) * _BLUR))


def rotate(photo: Image.Image) -> Image.Image:
    """Rotates by 90° to the left."""
    return photo.transpose(Image.Transpose.ROTATE_90)


def darken(photo: Image.Image) -> Image.Image:
    """Lowers each level by 30 %."""
    return photo.point([round(_BRIGHTNESS * level) for level in range(256)] * 3)


def crop_centre(photo: Image.Image) -> Image.Image:
    """Keeps the middle half of both sides, a quarter of the photo."""
    width, height = photo.size
    half_width = math.ceil(width / 2)
    half_height = math.ceil(height / 2)
    left = (width - half_width) // 2
    top = (height - half_height) // 2
    return photo.crop((left, top, left + half_width, top + half_height))


PERTURBATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "small": downscale,
    "squeezed": compress,
    "blurred": blur,
    "grey": to_greyscale,
    "turned": rotate,
    "darker": darken,
    "centre": crop_centre,
}
"""By their names in `metrics.json`: 8-bit RGB photo → perturbed photo, before it is resized for the network."""


def measure(predictions: Predictions, engine: Engine, progress: Progress) -> list[RobustnessResult]:
    """Measures the accuracy after each perturbation.

    Args:
        predictions: The predictions for the unperturbed photos.
        engine: Runs the model.
        progress: Gets a bar.

    Returns:
        One result for each perturbation, in the order of PERTURBATIONS.

    Raises:
        ImageError: A photo can no longer be decoded.
        OSError: A photo can no longer be read.
    """
    paths = list(predictions.photos["path"])
    logits_by_name = _perturbed_logits(paths, predictions.bundle.card, engine, progress)
    food = predictions.labels == 1
    unperturbed = predictions.p_food >= predictions.threshold
    results = []
    for name, logits in logits_by_name.items():
        predicted = probability(logits, predictions.bundle.card.temperature) >= predictions.threshold
        right = int((predicted == food).sum())
        results.append(
            RobustnessResult(
                perturbation=name,
                accuracy=right / len(logits),
                accuracy_ci95=wilson_interval(right, len(logits)),
                changed=int((predicted != unperturbed).sum()),
            )
        )
    return results


def as_json(results: Sequence[RobustnessResult]) -> dict[str, RobustnessMetrics]:
    """Returns the results by perturbation, as in `metrics.json`."""
    return {
        result.perturbation: RobustnessMetrics(
            accuracy=result.accuracy, accuracy_ci95=list(result.accuracy_ci95), changed=result.changed
        )
        for result in results
    }


def _perturbed_logits(paths: list[str], card: Card, engine: Engine, progress: Progress) -> dict[str, Logits]:
    """The logits (n,) after each perturbation. Every file is read once."""
    task = progress.add_task("perturbed photos through the network", total=len(paths))
    chunks = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            inputs = np.stack(list(pool.map(lambda path: _perturbed_inputs(path, card.fit), chunk)), axis=1)
            chunks.append([look(engine.logits, pixels, card.cascade).logits for pixels in inputs])
            progress.update(task, completed=start + len(chunk))
    return dict(zip(PERTURBATIONS, np.concatenate(chunks, axis=1), strict=True))


def _perturbed_inputs(path: str, fit: Fit) -> Pixels:
    """The network's inputs after each perturbation, uint8 RGB (7, side, side, 3)."""
    photo = load_upright(path, fit)
    return np.stack([to_network_input(perturb(photo), fit) for perturb in PERTURBATIONS.values()])


def to_network_input(photo: Image.Image, fit: Fit) -> Pixels:
    """Resizes an 8-bit RGB photo by `decode`, as for any other photo: uint8 RGB (side, side, 3)."""
    file = io.BytesIO()
    photo.save(file, "BMP")  # lossless, and faster than PNG
    return decode(file.getvalue(), fit).pixels


def load_upright(path: str, fit: Fit) -> Image.Image:
    """Loads a photo as 8-bit sRGB, rotated by its EXIF orientation, at the JPEG scale that `decode` would choose.

    Raises:
        ImageError: The file is not a complete picture.
    """
    with open_photo(path) as file:
        return images.load_upright(file, fit)
