"""Exports people's labels as a data set for `foodsort train`: copies of the photos, and a table of them."""

import csv
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from daemon.destinations.folders import DestinationFolders
from daemon.destinations.originals import CHANGED, OriginalMissing, open_original
from daemon.fs import dirfd
from daemon.queries.labelled import LabelledPhoto
from daemon.settings import FolderSettings
from models.errors import FoodsortError
from models.filenames import escape_name

SPLITS = ("training", "validation", "evaluation")
MANIFEST = "manifest.csv"

_CHUNK_BYTES = 1 << 20


class ExportError(FoodsortError):
    """Raised when there is nothing to export, or its folder cannot be used."""


class ManifestRow(NamedTuple):
    """A row of the data set's table."""

    path: str
    label: str
    split: str
    source: str
    id: int
    sha256: str
    predicted_label: str


COLUMNS = ManifestRow._fields


class ExportResult(NamedTuple):
    """The result of an export.

    Attributes:
        counts: How many photos, by split and label.
        problems: Why the other photos were not exported.
    """

    counts: Counter[tuple[str, str]]
    problems: list[str]


def split_of(sha256: str) -> str:
    """The split of a photo, 80 : 10 : 10.

    It depends on the bytes, so it is the same in each export and for all exact copies.
    """
    tenth = int(sha256, 16) % 10
    return SPLITS[max(0, tenth - 7)]


def output_folder(out: Path, root: Path, folders: FolderSettings) -> Path:
    """The path of the data set without links.

    Raises:
        ExportError: Something exists there, or photos are sorted there.
    """
    out = Path(os.path.realpath(out))
    for name in folders.used.values():
        if out.is_relative_to(os.path.realpath(root / name)):
            raise ExportError(f"{out} is where photos are sorted ({name}); name another folder with --out")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ExportError(f"{out} exists already; name a new folder with --out")
    return out


def write(
    labelled: Iterable[list[LabelledPhoto]], destinations: DestinationFolders, out: Path, *, split: bool
) -> ExportResult:
    """Writes photos to the new or empty folder `out`, which appears only when it is complete, and not for zero photos.

    Args:
        labelled: The copies of each photo; the first one that exists is exported.
        destinations: The folders that photos are in.
        out: The folder of the data set.
        split: Whether to divide the photos by `split_of`; else all are training photos.

    Raises:
        ExportError: Another export writes the same folder.
        OSError: The data set cannot be written.
    """
    unfinished = out.with_name(out.name + ".unfinished")
    try:
        unfinished.mkdir(parents=True)
    except FileExistsError:
        raise ExportError(
            f"{unfinished} exists: another export is writing it, or one was interrupted; delete it in that case"
        ) from None
    try:
        result = _fill(unfinished, labelled, destinations, split=split)
        if result.counts:
            dirfd.sync_folder(os.fsencode(unfinished))
            unfinished.rename(out)  # replaces an empty folder, never a full one
            dirfd.sync_folder(os.fsencode(out.parent))
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)
    return result


def _fill(
    folder: Path, labelled: Iterable[list[LabelledPhoto]], destinations: DestinationFolders, *, split: bool
) -> ExportResult:
    result = ExportResult(Counter(), [])
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for copies in labelled:
            photo_split = split_of(copies[0].sha256) if split else SPLITS[0]
            (folder / photo_split).mkdir(exist_ok=True)
            row, problems = _copy_first(copies, folder, destinations, photo_split)
            if row is None:
                result.problems.extend(problems)
            else:
                table.writerow(row)
                result.counts[photo_split, row.label] += 1
        file.flush()
        dirfd.sync(file.fileno())
    for name in SPLITS:
        if (folder / name).is_dir():
            dirfd.sync_folder(os.fsencode(folder / name))
    return result


def _copy_first(
    copies: list[LabelledPhoto], folder: Path, destinations: DestinationFolders, split: str
) -> tuple[ManifestRow | None, list[str]]:
    """Copies the first copy that exists; returns its row, None if none exists, and why others could not be copied."""
    label = copies[0].label
    problems = []
    for photo in copies:
        name = f"{split}/{int(label == 'food')}_{photo.id}.{photo.extension}"
        try:
            _copy(destinations, photo, folder / name)
        except OriginalMissing as problem:
            problems.append(f"{escape_name(photo.path)} {problem}")
            continue
        row = ManifestRow(
            path=name,
            label=label,
            split=split,
            source="person",
            id=photo.id,
            sha256=photo.sha256,
            predicted_label=photo.predicted_label,
        )
        return row, problems
    return None, problems


def _copy(destinations: DestinationFolders, photo: LabelledPhoto, to: Path) -> None:
    """Copies a photo and checks that it is the one that was labelled.

    Raises:
        OriginalMissing: It is not.
        OSError: The copy cannot be written.
    """
    fd = open_original(destinations, photo.path)
    digest = hashlib.sha256()
    with os.fdopen(fd, "rb") as original, to.open("xb") as copy:
        while chunk := original.read(_CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        dirfd.sync(copy.fileno())
    if digest.hexdigest() != photo.sha256:
        to.unlink()
        raise OriginalMissing(CHANGED)
