"""A table that lists the photos of a data set: a .csv or .tsv file with a header."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from models.errors import FoodsortError

COLUMNS = ["path", "label", "split", "source"]
SPLITS = ("training", "validation", "evaluation")
NAMES = ("manifest.tsv", "manifest.csv")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LABELS = {"0": 0, "non_food": 0, "1": 1, "food": 1}
_OTHER_NAMES = {"file": "path", "source_repo": "source"}  # as in manifests that came before this one


class DatasetError(FoodsortError):
    """Raised when a folder or a manifest is not a data set or a split lacks a class."""


def read(manifest: Path, splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    """The photos that `manifest` lists for `splits`, in its order, as columns path, label (1 = food), split, source.

    The file's columns are path (relative to the manifest), label (0, 1, non_food or food), split and, if known, source;
    others are left alone. Raises DatasetError, naming the line, for a photo that is listed twice or is not there, and
    for a label or split of another name.
    """
    lines: dict[str, int] = {}
    photos = []
    for line, row in rows(manifest, {"path", "label", "split"}):
        where = f"{manifest}, line {line}"
        if row["split"] not in SPLITS:
            raise DatasetError(f"{where}: the split {row['split']!r} must be one of {', '.join(SPLITS)}")
        if row["label"] not in _LABELS:
            raise DatasetError(f"{where}: the label {row['label']!r} must be 1 or food, 0 or non_food")
        if row["split"] not in splits:
            continue
        path = _path(manifest, row["path"])
        if path in lines:
            raise DatasetError(f"{where}: {row['path']!r} stands in line {lines[path]} too; delete one of the two")
        if not Path(path).is_file():
            raise DatasetError(f"{where}: there is no file {path!r}; paths are relative to the manifest's folder")
        lines[path] = line
        photos.append((path, _LABELS[row["label"]], row["split"], row.get("source", "")))
    return pd.DataFrame(photos, columns=COLUMNS)


def beside(folder: Path) -> Path | None:
    """The manifest that lies in a data set's folder, or None."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def sources(manifest: Path) -> dict[str, str]:
    """Where the photos come from, by path, as far as `manifest` has a column for it. Raises DatasetError."""
    return {_path(manifest, row["path"]): row.get("source", "") for _, row in rows(manifest, {"path"})}


def rows(manifest: Path, needed: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, {column: text}) of each row of a table; a row that ends early has empty columns at its end.

    Raises DatasetError when it is no table of UTF-8 text or has no column of a name in `needed`.
    """
    delimiter = _DELIMITERS.get(manifest.suffix.lower())
    if delimiter is None:
        raise DatasetError(f"{manifest} is no table; its name must end in .csv or .tsv")
    try:
        # Spreadsheets put a byte order mark before the first column's name.
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter=delimiter, restval="", restkey="")
            named = [_OTHER_NAMES.get(name.strip(), name.strip()) for name in table.fieldnames or []]
            if missing := needed - set(named):
                raise DatasetError(f"{manifest}, line 1 must name the columns; missing: {', '.join(sorted(missing))}")
            table.fieldnames = named
            for row in table:
                yield table.line_num, {name: text for name, text in row.items() if name}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{manifest} is no table of UTF-8 text ({error}); save it anew as UTF-8") from error


def _path(manifest: Path, listed: str) -> str:
    return os.path.normpath(manifest.parent / listed)
