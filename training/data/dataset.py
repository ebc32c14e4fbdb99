"""Folders or a table of labelled photos to a pandas frame."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from PIL import Image

import models.images.decode  # noqa: F401  # makes Pillow know what HEIC files are called
from models.bundle import file_sha256
from models.images.formats import FORMATS
from training.data import manifest
from training.data.manifest import COLUMNS
from training.data.manifest import SPLITS as SPLITS
from training.data.manifest import DatasetError as DatasetError

CLASSES = ("non_food", "food")
_NAME = re.compile(r"([01])_.+\.[^.]+")


def read(data: Path, splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    """The photos of a data set in one of three layouts, told from what is there.

    `{split}/{label}_{id}.jpg`, 1 = food (Food-5K); `{split}/food` and `{split}/non_food` (its Kaggle mirror); or a
    manifest, as a file or in a folder without any of the splits (see `training.manifest`). `data` is the folder or file.
    splits: which of the three to read.
    Returns columns path (str), label (int, 1 = food), split (str), source (str, "" when unknown: a manifest beside the
    split folders is asked for it), one row a photo, in the order of their paths or of the manifest.
    Raises DatasetError when nothing is there, a split is missing or lacks one of the two labels, or the manifest has a bad row.
    """
    if not data.exists():
        raise DatasetError(f"{data} is not there; --data names a folder of photos or a table of them")
    beside = manifest.beside(data)
    if data.is_file():
        frame = manifest.read(data, splits)
    elif beside and not any((data / split).is_dir() for split in SPLITS):
        frame = manifest.read(beside, splits)
    else:
        rows = [(str(path), label, split, "") for split in splits for path, label in _photos(data / split)]
        frame = pd.DataFrame(rows, columns=COLUMNS)
        if beside:
            sources = manifest.sources(beside)
            frame["source"] = [sources.get(os.path.normpath(path), "") for path in frame["path"]]
    check(frame, data, splits)
    return frame


def check(frame: pd.DataFrame, data: Path, splits: tuple[str, ...] = SPLITS) -> None:
    """Raises DatasetError when one of `splits` lacks photos of one of the two labels."""
    for split in splits:
        labels = set(frame.loc[frame["split"] == split, "label"])
        if labels != {0, 1}:
            where = f"{data} must list {split} photos" if data.is_file() else f"{data / split} must hold photos"
            raise DatasetError(
                f"{where} of both labels, named like 0_12.jpg (not food) and 1_12.jpg (food), in folders non_food and "
                f"food, or labelled by a manifest; found labels {sorted(labels) or 'none'}"
            )


def root(data: Path) -> Path:
    """The folder that the paths of a data set's lists are relative to."""
    return data.parent if data.is_file() else data


def digest(frame: pd.DataFrame) -> str:
    """sha256 over label, split and sha256 of each photo, in an order that does not depend on where they lie."""
    lines = (
        f"{split} {label} {_sha256(path)}\n"
        for path, label, split in zip(frame["path"], frame["label"], frame["split"], strict=True)
    )
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _photos(split: Path) -> Iterator[tuple[Path, int]]:
    """(path, label) of each photo of a split, in the order of their paths."""
    flat = [
        (path, int(found[1]))
        for path in sorted(split.glob("*"))
        if (found := _NAME.fullmatch(path.name)) and _is_photo(path)
    ]
    by_class = [(split / name, label) for label, name in enumerate(CLASSES) if (split / name).is_dir()]
    if flat and by_class:
        raise DatasetError(
            f"{split} holds photos like {flat[0][0].name} beside the folder {by_class[0][0].name}; "
            "move them so that either names or folders say the label"
        )
    yield from flat
    for folder, label in sorted(by_class):
        for path in sorted(folder.iterdir()):
            if _is_photo(path):
                yield path, label


def _is_photo(path: Path) -> bool:
    """Whether a file's name ends as those of a format do that is read."""
    return Image.registered_extensions().get(path.suffix.lower()) in FORMATS


def _sha256(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError:  # left out of the training too, and named in its report
        return "unreadable"
