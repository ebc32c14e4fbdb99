"""Photos with a wrong predicted label, the most confident mistake first."""

import base64
import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from models import heat
from models.engines.base import Engine
from models.filenames import escape_name
from models.images.decode import Pixels, decode
from training.data.dataset import CLASSES
from training.evaluation.predictions import Predictions
from training.fitting.photo_file import open_photo

FILENAME = "mistakes.csv"
MAX_CARDS = 24
"""Photos in the gallery: as many as a person looks through; they take about a megabyte of the report."""
THUMBNAIL_PX = 240
"""Longest side of a photo in the report (pixels)."""
_JPEG_QUALITY = 85


class MistakeCard(NamedTuple):
    """A photo in the gallery.

    Attributes:
        name: Path relative to the data set.
        label: Name of its true label.
        p_food: Calibrated P(food).
        source: Its source, or "".
        photo: Data URI of the photo as the network sees it.
        heat: Data URI of its class activation map, or "".
    """

    name: str
    label: str
    p_food: float
    source: str
    photo: str
    heat: str


class MistakeGallery(NamedTuple):
    """The worst mistakes.

    Attributes:
        cards: The photos.
        heat_scale: Logit at which the colours of the activation maps are saturated; None without maps.
    """

    cards: list[MistakeCard]
    heat_scale: float | None


def find(predictions: Predictions) -> pd.DataFrame:
    """Returns the mistakes, columns path, label (1 = food), source, p_food; the most confident first."""
    photos = predictions.photos[["path", "label", "source"]]
    mistakes = photos.assign(p_food=predictions.p_food)[predictions.wrong]
    order = (mistakes["label"] - mistakes["p_food"]).abs().sort_values(ascending=False, kind="stable").index
    return mistakes.loc[order].reset_index(drop=True)


def relative_path(path: str, root: Path) -> str:
    """Returns a photo's path relative to the data set's folder `root`, escaped."""
    return escape_name(os.path.relpath(path, root))


def write(out: Path, mistakes: pd.DataFrame, root: Path) -> None:
    """Writes `mistakes.csv`: path relative to `root`, name of the label, p_food, source."""
    table = pd.DataFrame(
        {
            "path": [relative_path(path, root) for path in mistakes["path"]],
            "label": [CLASSES[label] for label in mistakes["label"]],
            "p_food": mistakes["p_food"],
            "source": mistakes["source"].map(escape_name),
        }
    )
    table.to_csv(out / FILENAME, index=False, float_format="%.4f")


def build_gallery(
    mistakes: pd.DataFrame, predictions: Predictions, root: Path, engine: Engine | None
) -> MistakeGallery:
    """Builds the gallery of the first 24 mistakes.

    Args:
        mistakes: As from `find`.
        predictions: The predictions with the mistakes.
        root: The folder that names are relative to.
        engine: Computes the activation maps; there are none if it is None.
    """
    worst = mistakes.head(MAX_CARDS)
    if worst.empty:
        return MistakeGallery([], None)
    pixels = np.stack([_pixels(path, predictions) for path in worst["path"]])
    heat_scale = None
    overlays = [""] * len(worst)
    if engine:
        overlays, heat_scale = _heat_overlays(pixels, predictions, engine)
    columns = (worst[name] for name in ("path", "label", "p_food", "source"))
    cards = [
        MistakeCard(
            name=relative_path(path, root),
            label=CLASSES[label],
            p_food=p_food,
            source=escape_name(source),
            photo=jpeg_data_uri(photo),
            heat=overlay,
        )
        for path, label, p_food, source, photo, overlay in zip(*columns, pixels, overlays, strict=True)
    ]
    return MistakeGallery(cards, heat_scale)


def _heat_overlays(pixels: Pixels, predictions: Predictions, engine: Engine) -> tuple[list[str], float]:
    from models import explain

    maps = explain.class_activation_maps(predictions.bundle, engine, pixels)
    scale = heat.scale(maps)
    overlays = [heat.overlay(photo, heat_map, scale) for photo, heat_map in zip(pixels, maps, strict=True)]
    return [jpeg_data_uri(overlay) for overlay in overlays], scale


def _pixels(path: str, predictions: Predictions) -> Pixels:
    with open_photo(path) as file:
        return decode(file, predictions.bundle.card.fit).pixels


def jpeg_data_uri(pixels: Pixels) -> str:
    """Returns a small JPEG of pixels, uint8 RGB (height, width, 3), as a data URI."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
