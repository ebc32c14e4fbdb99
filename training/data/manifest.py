"""Manifests: .csv or .tsv tables that list the photos of a data set."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from models.errors import FoodsortError

COLUMNS = ["path", "label", "split", "source"]
SPLITS = ("training", "validation", "evaluation")
FILENAMES = ("manifest.tsv", "manifest.csv")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LABELS = {"0": 0, "non_food": 0, "1": 1, "food": 1}
_COLUMN_ALIASES = {"file": "path", "source_repo": "source"}  # of older manifests


class DatasetError(FoodsortError):
    """Raised when a folder or a manifest is not a data set, or when a split lacks a class."""


def read(manifest: Path, splits: tuple[str, ...] = SPLITS, *, may_miss: bool = False) -> pd.DataFrame:
    """Reads the photos that a manifest lists.

    Args:
        manifest: A table with the columns path (relative to the manifest), label (0, 1, non_food or food) and
            optionally split and source. Without a column split, all photos are for training. Other columns are ignored.
        splits: The splits to read.
        may_miss: Leaves photos out that do not exist (any more).

    Returns:
        Columns path, label (1 = food), split, source, in the order of the manifest.

    Raises:
        DatasetError: A photo is listed twice or does not exist, or a label or split is unknown. The message names the
            line.
    """
    lines: dict[str, int] = {}
    photos = []
    for line, row in read_rows(manifest, {"path", "label"}):
        where = f"{manifest}, line {line}"
        split = row.get("split", "training")
        if split not in SPLITS:
            raise DatasetError(f"{where}: the split {split!r} must be one of {', '.join(SPLITS)}")
        if row["label"] not in _LABELS:
            raise DatasetError(f"{where}: the label {row['label']!r} must be 1 or food, 0 or non_food")
        if split not in splits:
            continue
        path = locate(manifest, row["path"])
        if path in lines:
            raise DatasetError(f"{where}: {row['path']!r} is already in line {lines[path]}; delete one of the two")
        if not Path(path).is_file():
            if may_miss:
                continue
            raise DatasetError(f"{where}: there is no file {path!r}; paths are relative to the manifest's folder")
        lines[path] = line
        photos.append((path, _LABELS[row["label"]], split, row.get("source", "")))
    return pd.DataFrame(photos, columns=COLUMNS)


class Found(NamedTuple):
    """The manifest in the folder of a data set.

    Attributes:
        path: Its path; None if there is none.
        notes: Why other tables of that name are ignored.
    """

    path: Path | None
    notes: list[str]


def find_in(folder: Path, *, is_data_set: bool) -> Found:
    """Finds the manifest in the folder of a data set. Tables of other programs may have its name; they are ignored.

    Args:
        folder: The folder.
        is_data_set: Whether the manifest has to list the photos with their labels, or only their sources.
    """
    notes: list[str] = []
    for path in (folder / name for name in FILENAMES):
        if not path.is_file():
            continue
        why = _why_foreign(path, {"path", "label"} if is_data_set else {"path"})
        if why is None:
            return Found(path, notes)
        notes.append(f"{path} is ignored, because it is no manifest of foodsort: {why}")
    return Found(None, notes)


def _why_foreign(manifest: Path, required: set[str]) -> str | None:
    """Returns why a table is no manifest; None if it is one, perhaps with mistakes in some rows."""
    try:
        rows = [row for _, row in read_rows(manifest, required)]
    except DatasetError as error:
        return str(error)
    if "label" in required and rows and not any(row["label"] in _LABELS for row in rows):
        return "no row has a label that foodsort knows (1 or food, 0 or non_food)"
    return None


def read_sources(manifest: Path) -> dict[str, str]:
    """Reads the source of each photo by its path; "" without a column `source`. Raises DatasetError."""
    return {locate(manifest, row["path"]): row.get("source", "") for _, row in read_rows(manifest, {"path"})}


def read_rows(table: Path, required: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Reads the rows of a table with a header.

    Args:
        table: A .csv or .tsv file in UTF-8.
        required: Names of the columns that the table must have.

    Yields:
        The line number and the text by column of each row. Columns missing at the end of a row are empty.

    Raises:
        DatasetError: The file is not such a table, or a required column is missing.
    """
    delimiter = _DELIMITERS.get(table.suffix.lower())
    if delimiter is None:
        raise DatasetError(f"{table} is not a table; its name must end in .csv or .tsv")
    try:
        # Spreadsheets put a byte order mark before the name of the first column.
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter, restval="", restkey="")
            columns = [_COLUMN_ALIASES.get(name.strip(), name.strip()) for name in reader.fieldnames or []]
            if missing := required - set(columns):
                raise DatasetError(f"{table}, line 1 must name the columns; missing: {', '.join(sorted(missing))}")
            reader.fieldnames = columns
            for row in reader:
                yield reader.line_num, {name: text for name, text in row.items() if name}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} is not a table in UTF-8 ({error}); save it again as UTF-8") from error


def locate(manifest: Path, relative: str) -> str:
    """Returns the path of a photo that a manifest lists."""
    return os.path.normpath(manifest.parent / relative)
