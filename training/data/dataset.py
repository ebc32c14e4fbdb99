"""Reads data sets, folders or manifests, into a pandas frame."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from training.data import folders, layout, manifest
from training.data.layout import LeftOut
from training.data.manifest import COLUMNS
from training.data.manifest import SPLITS as SPLITS
from training.data.manifest import DatasetError as DatasetError
from training.fitting.photo_file import open_photo

CLASSES = ("non_food", "food")


class Survey(NamedTuple):
    """A data set as it was read.

    Attributes:
        photos: Columns path (str), label (int, 1 = food), split (str), source (str, "" if unknown), data_set (int, from
            0), one row a photo, in the order of the data sets, and in each in the order of the paths or of the manifest.
        left_out: The files that are no labelled photos.
        notes: Sentences about what else was ignored.
    """

    photos: pd.DataFrame
    left_out: list[LeftOut]
    notes: list[str]

    @property
    def lines(self) -> list[str]:
        """What was left out, for the terminal."""
        return [*layout.lines(self.left_out), *(f"note: {note}" for note in self.notes)]


def read(data: Path | Sequence[Path], splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    """Returns the photos of `survey`. Raises DatasetError."""
    return survey(data, splits).photos


def survey(data: Path | Sequence[Path], splits: tuple[str, ...] = SPLITS, *, whole: bool = True) -> Survey:
    """Reads a data set, or several as one, each in one of four layouts.

    The layouts are `{split}/{label}_{id}.jpg`, 1 = food (Food-5K); `{split}/food` and `{split}/non_food` (its Kaggle
    mirror); `food` and `non_food`, whose photos are all for training; and a manifest, as a file or in a folder without
    any of the splits (see `training.data.manifest`). Photos may lie in further folders, see `training.data.layout`. A
    manifest in the folder of the splits provides the sources.

    Args:
        data: The folders or manifests.
        splits: The splits to read.
        whole: Whether each split must have photos of both labels, and each photo of a manifest must exist.

    Raises:
        DatasetError: A data set does not exist or is not `whole`, a manifest has a bad row, or a photo is in two data
            sets.
    """
    sets = [data] if isinstance(data, Path) else list(data)
    surveys = [_survey(one, splits, whole=whole) for one in sets]
    numbered = [one.photos.assign(data_set=number) for number, one in enumerate(surveys)]
    frame = pd.concat(numbered, ignore_index=True)
    repeated = frame["path"][frame["path"].map(os.path.abspath).duplicated()]
    if not repeated.empty:
        raise DatasetError(f"{repeated.iloc[0]} is in two of the data sets; name each data set once")
    left_out = [one for part in surveys for one in part.left_out]
    found = Survey(frame, left_out, [note for one in surveys for note in one.notes])
    try:
        if whole:
            check(frame, data, splits)
    except DatasetError as error:
        raise DatasetError("\n".join([str(error), *found.lines])) from error
    return found


def _survey(data: Path, splits: tuple[str, ...], *, whole: bool) -> Survey:
    if data.is_file():
        return Survey(manifest.read(data, splits, may_miss=not whole), [], [])
    if not data.exists():
        raise DatasetError(f"{data} does not exist; --data names a folder of photos or a table of them")
    if not data.is_dir():
        raise DatasetError(
            f"{data} is neither a folder nor a table; --data names a folder of photos or a table of them"
        )
    has_splits = any((data / split).is_dir() for split in SPLITS)
    found = manifest.find_in(data, is_data_set=not has_splits)
    if found.path and not has_splits:
        return Survey(manifest.read(found.path, splits, may_miss=not whole), [], found.notes)
    photos: list[tuple[str, int, str, str]] = []
    left_out: list[LeftOut] = []
    if has_splits:
        left_out += folders.outside(data)
    for split, folder in {one: data / one if has_splits else data for one in splits}.items():
        if has_splits or split == "training":
            labelled, others = folders.photos(folder)
            photos += [(str(path), label, split, "") for path, label in labelled]
            left_out += others
    frame = pd.DataFrame(photos, columns=COLUMNS)
    if not has_splits:
        found = manifest.find_in(data, is_data_set=False)._replace(notes=found.notes)
    if found.path:
        sources = manifest.read_sources(found.path)
        frame["source"] = [sources.get(os.path.normpath(path), "") for path in frame["path"]]
    tables = {str(data / name) for name in manifest.FILENAMES}
    return Survey(frame, [one for one in left_out if one.path not in tables], found.notes)


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


def _sha256(path: str) -> str:
    try:
        with open_photo(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # the training leaves the photo out too and lists it in the report
        return "unreadable"
