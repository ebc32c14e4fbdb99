"""The identity of a training: an interrupted one resumes if it is the same, and the card names it."""

import dataclasses
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from models.bundle import file_sha256
from models.filenames import escape_name
from training.data import dataset
from training.fitting.recipe import Recipe

LIBRARIES = ("foodsort", "tensorflow", "keras", "numpy", "pillow", "pillow-heif", "scikit-learn")


class Identity(TypedDict):
    """Everything that the result of a training depends on.

    Attributes:
        recipe: The hyper-parameters.
        photos_sha256: Digest of the labels, splits and bytes of the photos.
        paths_sha256: Digest of their paths, in order.
        imagenet_sha256: Digest of the file of ImageNet weights.
        libraries: Versions by library.
    """

    recipe: dict[str, Any]
    photos_sha256: str
    paths_sha256: str
    imagenet_sha256: str
    libraries: dict[str, str]


def identify(recipe: Recipe, frame: pd.DataFrame, imagenet: Path) -> Identity:
    """Returns the identity of a training on a frame of photos with a file of ImageNet weights."""
    paths = escape_name("\n".join(frame["path"]))
    return Identity(
        recipe=dataclasses.asdict(recipe),
        photos_sha256=dataset.digest(frame),
        paths_sha256=hashlib.sha256(paths.encode()).hexdigest(),
        imagenet_sha256=file_sha256(imagenet),
        libraries={name: version(name) for name in LIBRARIES},
    )
