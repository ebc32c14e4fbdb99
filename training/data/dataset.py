"""Reads data sets, folders or manifests, into a pandas frame."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.bundle import file_sha256
from models.images.formats import EXTENSIONS
from training.data import manifest
from training.data.manifest import COLUMNS
from training.data.manifest import SPLITS as SPLITS
from training.data.manifest import DatasetError as DatasetError

CLASSES = ("non_food", "food")
_LABELLED_NAME = re.compile(r"([01])_.+\.[^.]+")


def read(data: Path | Sequence[Path], splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    """Reads a data set, or several as one, each in one of four layouts.

    The layouts are `{split}/{label}_{id}.jpg`, 1 = food (Food-5K); `{split}/food` and `{split}/non_food` (its Kaggle
    mirror); `food` and `non_food`, whose photos are all for training; and a manifest, as a file or in a folder without
    any of the splits (see `training.data.manifest`). A manifest in the folder of the splits provides the sources.

    Args:
        data: The folders or manifests.
        splits: The splits to read.

    Returns:
        Columns path (str), label (int, 1 = food), split (str), source (str, "" if unknown), data_set (int, from 0), one
        row a photo, in the order of the data sets, and in each in the order of the paths or of the manifest.

    Raises:
        DatasetError: A data set does not exist, a split is missing or lacks a label, a manifest has a bad row, or a
            photo is in two data sets.
    """
    sets = [data] if isinstance(data, Path) else list(data)
    frames = [_read(one, splits).assign(data_set=number) for number, one in enumerate(sets)]
    frame = pd.concat(frames, ignore_index=True)
    repeated = frame["path"][frame["path"].map(os.path.abspath).duplicated()]
    if not repeated.empty:
        raise DatasetError(f"{repeated.iloc[0]} is in two of the data sets; name each data set once")
    check(frame, data, splits)
    return frame


def _read(data: Path, splits: tuple[str, ...]) -> pd.DataFrame:
    if not data.exists():
        raise DatasetError(f"{data} does not exist; --data names a folder of photos or a table of them")
    manifest_path = manifest.find_in(data)
    has_splits = any((data / split).is_dir() for split in SPLITS)
    if data.is_file():
        return manifest.read(data, splits)
    if manifest_path and not has_splits:
        return manifest.read(manifest_path, splits)
    if has_splits:
        photos = [(split, path, label) for split in splits for path, label in _photos(data / split)]
    else:
        photos = [("training", path, label) for path, label in _photos(data) if "training" in splits]
    frame = pd.DataFrame([(str(path), label, split, "") for split, path, label in photos], columns=COLUMNS)
    if manifest_path:
        sources = manifest.read_sources(manifest_path)
        frame["source"] = [sources.get(os.path.normpath(path), "") for path in frame["path"]]
    return frame


def hold_out(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Moves whole sources of the further data sets from training to validation.

    Photos of sources that a training has not seen tell how a model does on new kinds of photos.

    Args:
        frame: As from `read`.
        share: Share of the sources of each further data set that are moved, 0 to 1. Photos without a source stay.
        seed: Seed of the choice.

    Returns:
        The same photos.
    """
    random = np.random.default_rng([seed, len(frame)])
    held_out = frame["split"].copy()
    for number in range(1, int(frame["data_set"].max()) + 1):
        own = (frame["data_set"] == number) & (frame["split"] == "training") & (frame["source"] != "")
        sources = np.array(sorted(set(frame.loc[own, "source"])))
        chosen = random.permutation(sources)[: round(share * len(sources))]
        held_out[own & frame["source"].isin(chosen)] = "validation"
    return frame.assign(split=held_out)


def check(frame: pd.DataFrame, data: Path | Sequence[Path], splits: tuple[str, ...] = SPLITS) -> None:
    """Checks that each of `splits` has photos of both labels. Raises DatasetError."""
    sets = [data] if isinstance(data, Path) else list(data)
    for split in splits:
        labels = set(frame.loc[frame["split"] == split, "label"])
        if labels != {0, 1}:
            where = " or ".join(
                f"{one} must list {split} photos" if one.is_file() else f"{one / split} must hold photos"
                for one in sets
            )
            raise DatasetError(
                f"{where} of both labels, named like 0_12.jpg (not food) and 1_12.jpg (food), in folders non_food and "
                f"food, or labelled by a manifest; found labels {sorted(labels) or 'none'}"
            )


def root(data: Path | Sequence[Path]) -> Path:
    """Returns the folder that paths in the tables of a data set, or of several, are relative to."""
    sets = [data] if isinstance(data, Path) else list(data)
    folders = [one.parent if one.is_file() else one for one in sets]
    return folders[0] if len(folders) == 1 else Path(os.path.commonpath([os.path.abspath(one) for one in folders]))


def digest(frame: pd.DataFrame) -> str:
    """Returns a sha256 over the label, split and sha256 of each photo. It does not depend on the paths."""
    lines = (
        f"{split} {label} {_sha256(path)}\n"
        for path, label, split in zip(frame["path"], frame["label"], frame["split"], strict=True)
    )
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _photos(split: Path) -> Iterator[tuple[Path, int]]:
    """Yields the path and the label of each photo of a split, in the order of the paths."""
    labelled_by_name = [
        (path, int(match[1]))
        for path in sorted(split.glob("*"))
        if (match := _LABELLED_NAME.fullmatch(path.name)) and _is_photo(path)
    ]
    class_folders = [(split / name, label) for label, name in enumerate(CLASSES) if (split / name).is_dir()]
    if labelled_by_name and class_folders:
        raise DatasetError(
            f"{split} has both photos like {labelled_by_name[0][0].name} and the folder {class_folders[0][0].name}; "
            "move the photos so that either all names or all folders give the label"
        )
    yield from labelled_by_name
    for folder, label in sorted(class_folders):
        for path in sorted(folder.iterdir()):
            if _is_photo(path):
                yield path, label


def _is_photo(path: Path) -> bool:
    """Returns whether the extension is that of a supported format."""
    return path.suffix.lower() in EXTENSIONS


def _sha256(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError:  # the training leaves the photo out too and lists it in the report
        return "unreadable"
