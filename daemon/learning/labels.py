"""People's labels as a data set: links to the photos, and a table of them, for `foodsort train --on`."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.queries.audit import audited_ids, is_reserved
from daemon.queries.labelled import LabelledPhoto, labelled_photos

MANIFEST = "manifest.csv"


class ManifestRow(NamedTuple):
    """A row of the table.

    Attributes:
        split: `training`, or `evaluation` for a photo of the audit sample.
        taken_at: Time by the camera, empty if unknown.
        camera: Camera, empty if unknown.
        asked: How often a person labelled the photo.
    """

    path: str
    label: str
    split: str
    source: str
    id: int
    sha256: str
    predicted_label: str
    taken_at: str
    camera: str
    asked: int


class LabelSet(NamedTuple):
    """The photos that people have labelled.

    Attributes:
        training: Photos to learn from, exact copies together.
        audit: Photos of the audit sample.
    """

    training: list[list[LabelledPhoto]]
    audit: list[list[LabelledPhoto]]


def read(engine: sa.Engine) -> LabelSet:
    """Reads the labels of people. Reserved photos are never learned from, also if they are not in the sample."""
    labelled = list(labelled_photos(engine, only_corrected=False))
    with engine.connect() as connection:
        audited = {int(row.id) for row in connection.execute(audited_ids())}
    training = [copies for copies in labelled if not is_reserved(copies[0].sha256)]
    audit = [copies for copies in labelled if any(photo.id in audited for photo in copies)]
    return LabelSet(training, audit)


def write(photos: Iterable[tuple[LabelledPhoto, str]], root: Path, folder: Path) -> None:
    """Writes the data set to an empty folder.

    Args:
        photos: The photos, each with its split.
        root: The root, which places of photos are relative to.
        folder: The folder.

    Raises:
        OSError: It cannot be written.
    """
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(ManifestRow._fields)
        for photo, split in photos:
            name = f"{int(photo.label == 'food')}_{photo.id}.{photo.extension}"
            os.symlink(os.path.join(os.fsencode(root.absolute()), photo.path), os.fsencode(folder / name))
            table.writerow(
                ManifestRow(
                    path=name,
                    label=photo.label,
                    split=split,
                    source="audit" if split == "evaluation" else "person",
                    id=photo.id,
                    sha256=photo.sha256,
                    predicted_label=photo.predicted_label,
                    taken_at=photo.taken_at or "",
                    camera=photo.camera or "",
                    asked=photo.asked,
                )
            )
