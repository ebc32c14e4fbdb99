"""The photos that get the wrong label, the surest first."""

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
from training.evaluation.predictions import Judged

TABLE = "mistakes.csv"
MOST = 24
"""Photos on the sheet: what a person looks through, and about a megabyte of report."""
_SIDE = 240
_QUALITY = 85


class Card(NamedTuple):
    """A photo on the sheet: name, label as given, P(food), source, and data URIs of it and of its activation map, or ""."""

    name: str
    label: str
    p_food: float
    source: str
    photo: str
    heat: str


class Sheet(NamedTuple):
    """The cards, and the logit at which the colours of their activation maps are strongest; None without maps."""

    cards: list[Card]
    strongest: float | None


def find(judged: Judged) -> pd.DataFrame:
    """The mistakes, columns path, label (1 = food), source, p_food; those furthest on the wrong side first."""
    found = judged.photos[["path", "label", "source"]].assign(p_food=judged.p_food)[judged.wrong]
    order = (found["label"] - found["p_food"]).abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


def relative(path: str, root: Path) -> str:
    """A photo's path from the data set's folder `root`, safe to show."""
    return escape_name(os.path.relpath(path, root))


def write(out: Path, found: pd.DataFrame, root: Path) -> None:
    """Writes `mistakes.csv`: path relative to `root`, label by name, p_food, source."""
    named = pd.DataFrame(
        {
            "path": [relative(path, root) for path in found["path"]],
            "label": [CLASSES[label] for label in found["label"]],
            "p_food": found["p_food"],
            "source": found["source"].map(escape_name),
        }
    )
    named.to_csv(out / TABLE, index=False, float_format="%.4f")


def sheet(found: pd.DataFrame, judged: Judged, root: Path, engine: Engine | None) -> Sheet:
    """The first 24 mistakes as cards, each photo as the network sees it; with `engine` come activation maps."""
    worst = found.head(MOST)
    if worst.empty:
        return Sheet([], None)
    pixels = np.stack([_pixels(path, judged) for path in worst["path"]])
    tinted, strongest = _tinted(pixels, judged, engine) if engine else ([""] * len(worst), None)
    columns = (worst[name] for name in ("path", "label", "p_food", "source"))
    cards = [
        Card(relative(path, root), CLASSES[label], p_food, escape_name(source), _uri(photo), warm)
        for path, label, p_food, source, photo, warm in zip(*columns, pixels, tinted, strict=True)
    ]
    return Sheet(cards, strongest)


def _tinted(pixels: Pixels, judged: Judged, engine: Engine) -> tuple[list[str], float]:
    from models import explain

    maps = explain.class_activation_maps(judged.bundle, engine, pixels)
    strongest = heat.scale(maps)
    return [_uri(heat.overlay(photo, one, strongest)) for photo, one in zip(pixels, maps, strict=True)], strongest


def _pixels(path: str, judged: Judged) -> Pixels:
    with Path(path).open("rb") as file:
        return decode(file, judged.bundle.card.fit).pixels


def _uri(pixels: Pixels) -> str:
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((_SIDE, _SIDE))
    image.save(file, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
