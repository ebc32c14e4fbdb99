"""A data set from people's labels, in the layout that `foodsort train` reads: copies of the photos, and a table of them."""

import csv
import hashlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos, reviews
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.originals import NO_LONGER, OriginalMissing, open_original
from daemon.fs import dirfd
from daemon.photo import DUPLICATE, FILED, RETRY, UNDONE
from daemon.settings import FolderSettings
from models.errors import FoodsortError
from models.filenames import escape_name

SPLITS = ("training", "validation", "evaluation")
TABLE = "manifest.csv"
LABELS = ("food", "non_food")
COLUMNS = ("path", "label", "split", "source", "id", "sha256", "predicted_label")

_ENDINGS = {
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "DIB": "dib",
    "HEIF": "heic",
    "AVIF": "avif",
}
_CHUNK_BYTES = 1 << 20


class ExportError(FoodsortError):
    """Raised when there is nothing to export, or no room for it under that name."""


class Labelled(NamedTuple):
    """A photo's row and the newest label that a person gave it. path: as rows name places. format: Pillow's name."""

    id: int
    path: bytes
    sha256: str
    format: str
    predicted_label: str
    label: str

    @property
    def ending(self) -> str:
        """What the names of such files end in: told by their bytes, since their own names may say anything."""
        return _ENDINGS.get(self.format, "jpg")


def labelled(engine: sa.Engine, *, corrected: bool) -> Iterator[list[Labelled]]:
    """The photos that people have labelled: those of the same bytes together, the one labelled last first.

    corrected: only those of which the model said otherwise, or was not sure. Those that are being moved are left for the
    next time.
    """
    newest = sa.select(sa.func.max(reviews.c.id)).group_by(reviews.c.photo_id)
    p, r = photos.c, reviews.c
    query = (
        sa.select(p.id, p.path_bytes, p.sha256, p.format, p.predicted_label, r.label)
        .join_from(photos, reviews, p.id == r.photo_id)
        .where(r.id.in_(newest), p.error_kind.is_(None), p.state.in_((FILED, DUPLICATE, UNDONE, RETRY)))
        .where(r.label.in_(LABELS))
        .order_by(p.sha256, r.id.desc())
    )
    with engine.connect() as connection:
        # At once: copying takes long, and SQLite's log grows while somebody reads.
        rows = [Labelled._make(row) for row in connection.execute(query)]
    for _, same in itertools.groupby(rows, key=lambda row: row.sha256):
        copies = list(same)
        if not corrected or copies[0].label != copies[0].predicted_label:
            yield copies


def split_of(sha256: str) -> str:
    """The split of a photo, 80 : 10 : 10: by its bytes, so that it is the same in every export, and for all exact copies."""
    tenth = int(sha256, 16) % 10
    return SPLITS[max(0, tenth - 7)]


def place(out: Path, root: Path, folders: FolderSettings) -> Path:
    """Where a data set is to be, without links. Raises ExportError when something is there, or where photos are sorted."""
    out = Path(os.path.realpath(out))
    for name in filter(None, folders.model_dump().values()):
        if out.is_relative_to(os.path.realpath(root / name)):
            raise ExportError(f"{out} is where photos are sorted ({name}); name another folder with --out")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ExportError(f"{out} is there already; name a new folder with --out")
    return out


def write(
    found: Iterable[list[Labelled]], destinations: DestinationFolders, out: Path, *, split: bool
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Writes photos to the new or empty folder `out`, which appears when it is whole, and not for none.

    found: the copies of each photo, of which the first that is there is taken. Returns how many there are by split and
    label, and what kept others out. Raises ExportError, OSError.
    """
    unfinished = out.with_name(out.name + ".unfinished")
    try:
        unfinished.mkdir(parents=True)
    except FileExistsError:
        raise ExportError(
            f"{unfinished} is there: another export writes it, or one was cut short; delete it then"
        ) from None
    try:
        counts, problems = _fill(unfinished, found, destinations, split=split)
        if counts:
            dirfd.sync_folder(os.fsencode(unfinished))
            unfinished.rename(out)  # over an empty folder, never over a full one
            dirfd.sync_folder(os.fsencode(out.parent))
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)
    return counts, problems


def _fill(
    folder: Path, found: Iterable[list[Labelled]], destinations: DestinationFolders, *, split: bool
) -> tuple[Counter[tuple[str, str]], list[str]]:
    counts: Counter[tuple[str, str]] = Counter()
    problems: list[str] = []
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for copies in found:
            label, part = copies[0].label, split_of(copies[0].sha256) if split else SPLITS[0]
            (folder / part).mkdir(exist_ok=True)
            missed = []
            for photo in copies:
                name = f"{part}/{int(label == 'food')}_{photo.id}.{photo.ending}"
                try:
                    _copy(destinations, photo, folder / name)
                except OriginalMissing as gone:
                    missed.append(f"{escape_name(photo.path)} {gone}")
                    continue
                table.writerow((name, label, part, "person", photo.id, photo.sha256, photo.predicted_label))
                counts[part, label] += 1
                break
            else:
                problems += missed
        file.flush()
        dirfd.sync(file.fileno())
    for part in SPLITS:
        if (folder / part).is_dir():
            dirfd.sync_folder(os.fsencode(folder / part))
    return counts, problems


def _copy(destinations: DestinationFolders, photo: Labelled, to: Path) -> None:
    """Copies a photo, and makes sure that it is the one that was labelled. Raises OriginalMissing, OSError when it cannot be written."""
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
        raise OriginalMissing(NO_LONGER)
