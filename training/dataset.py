"""Folders of labelled photos to a pandas frame."""

import hashlib
import re
from pathlib import Path

import pandas as pd

from models.bundle import file_sha256
from models.errors import FoodsortError

SPLITS = ("training", "validation", "evaluation")
_NAME = re.compile(r"([01])_.+\.(?:jpe?g|png)", re.IGNORECASE)


class DatasetError(FoodsortError):
    """Raised when a folder is not a data set or a split lacks a class."""


def read(folder: Path, splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    """The photos of a data set in Food-5K's layout: `{training,validation,evaluation}/{label}_{id}.jpg`, 1 = food.

    splits: which of the three to read.
    Returns columns path (str), label (int, 1 = food), split (str), one row a photo, in the order of their paths.
    Raises DatasetError when a split is missing or lacks one of the two labels.
    """
    rows = [
        (str(path), int(found[1]), split)
        for split in splits
        for path in sorted((folder / split).glob("*"))
        if (found := _NAME.fullmatch(path.name))
    ]
    frame = pd.DataFrame(rows, columns=["path", "label", "split"])
    for split in splits:
        labels = set(frame.loc[frame["split"] == split, "label"])
        if labels != {0, 1}:
            raise DatasetError(
                f"{folder / split} must hold photos of both labels, named like 0_12.jpg (not food) and 1_12.jpg (food); "
                f"found labels {sorted(labels) or 'none'}"
            )
    return frame


def digest(frame: pd.DataFrame) -> str:
    """sha256 over label, split and sha256 of each photo, in an order that does not depend on where they lie."""
    lines = (
        f"{split} {label} {_sha256(path)}\n"
        for path, label, split in zip(frame["path"], frame["label"], frame["split"], strict=True)
    )
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _sha256(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError:  # left out of the training too, and named in its report
        return "unreadable"
