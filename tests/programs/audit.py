"""Compares the folders of a root with its rows: each file in exactly one place, with exactly one row that names it."""

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_SIDECAR = ".error.json"
_FUSE = ".fuse_hidden"
"""How libfuse names a removed file that is still open; on a busy machine it forgets some of them."""
_LOCKS = {"lock", "back.lock"}
_IN_PLACE = {"filed", "failed", "duplicate", "undone", "retry"}
"""States of a row whose photo is at the place that it names."""


class Row(NamedTuple):
    """What the audit reads of a row."""

    id: int
    state: str
    path: Path
    inbox_path: str
    sha256: str
    photo_id: int = 0
    """The photo that a companion belongs to."""


@dataclass(frozen=True)
class Audit:
    """One root, and the folders that its photos may be in.

    Attributes:
        root: The root, with a SQLite database.
        folders: The destination folders, on whatever filesystem they are.
    """

    root: Path
    folders: tuple[Path, ...]

    def problems(self, photos: Iterable[bytes]) -> list[str]:
        """What is wrong, after all photos had an outcome; empty if nothing is.

        Args:
            photos: Bytes of each photo that was dropped, the same bytes as often as they were dropped.
        """
        dropped = Counter(map(_sha256, photos))
        rows = [*self.rows(), *self.companions()]
        places = {path: _sha256(path.read_bytes()) for path in self._files()}
        return [
            *_compare_places(dropped, places, Counter(row.sha256 for row in rows if row.state == "deleted")),
            *_compare_rows(dropped, places, rows),
            *_parted(self.rows(), self.companions()),
            *self._litter(),
        ]

    def rows(self) -> list[Row]:
        """All rows of photos; none before there is a table."""
        return self._rows("photos", "0")

    def companions(self) -> list[Row]:
        """All rows of companions."""
        return self._rows("companions", "photo_id")

    def _rows(self, table: str, photo_id: str) -> list[Row]:
        if not (self.root / "foodsort.db").exists():
            return []
        address = f"file:{self.root}/foodsort.db?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchall():
                return []
            found = database.execute(
                f"SELECT id, state, path_bytes, inbox_path_bytes, sha256, {photo_id} FROM {table} ORDER BY id"
            ).fetchall()
        return [
            Row(number, state, self.root / os.fsdecode(path), os.fsdecode(inbox_path), sha256, photo_id)
            for number, state, path, inbox_path, sha256, photo_id in found
        ]

    def _files(self) -> Iterator[Path]:
        """The photos in the inbox, its claim folder and the destination folders."""
        for path in _below(self.root / "inbox", *self.folders):
            if not path.name.endswith(_SIDECAR) and not path.name.startswith(_FUSE) and not _is_lock(path):
                yield path

    def _litter(self) -> Iterator[str]:
        for path in _below(self.root / "inbox/.foodsort"):
            if not _is_lock(path):
                yield f"{path} is still claimed"
        for path in _below(*self.folders):
            if path.name.startswith(".foodsort"):
                yield f"{path} is left over"
            if path.name.endswith(_SIDECAR) and not _explains_something(path):
                yield f"{path} explains nothing"
        for row in self.rows():
            sidecars = (row.path.name + _SIDECAR, row.sha256 + _SIDECAR)
            if row.state == "failed" and not any(row.path.with_name(name).exists() for name in sidecars):
                yield f"{row.path} has no sidecar"


def _compare_places(dropped: Counter[str], places: dict[Path, str], deleted: Counter[str]) -> Iterator[str]:
    found = Counter(places.values())
    for sha256 in dropped.keys() | found.keys():
        there = [str(path) for path, other in places.items() if other == sha256]
        count = found[sha256] + deleted[sha256]
        if count < dropped[sha256]:
            yield f"LOST: {dropped[sha256] - count} of the photos {sha256[:8]}; found {there}"
        if count > dropped[sha256]:
            yield f"{'DOUBLED' if dropped[sha256] else 'CHANGED'}: {sha256[:8]} is at {there}"


def _compare_rows(dropped: Counter[str], places: dict[Path, str], rows: list[Row]) -> Iterator[str]:
    recorded = Counter(row.sha256 for row in rows)
    for sha256, count in dropped.items():
        if recorded[sha256] != count:
            yield f"ROW: {recorded[sha256]} rows for {count} photos {sha256[:8]}"
    for row in rows:
        if row.state in _IN_PLACE and places.get(row.path) != row.sha256:
            yield f"ROW: {row.id} is {row.state}, and its photo is not at {row.path}"
        elif row.state not in _IN_PLACE | {"deleted"}:
            yield f"ROW: {row.id} is {row.state} at {row.path}"
    for path, count in Counter(row.path for row in rows if row.state in _IN_PLACE).items():
        if count > 1:
            yield f"ROW: {count} rows name {path}"


def _parted(photos: list[Row], companions: list[Row]) -> Iterator[str]:
    """Companions that are not beside their photos."""
    by_id = {row.id: row for row in photos}
    for companion in companions:
        photo = by_id.get(companion.photo_id)
        if photo is None:
            yield f"PARTED: the companion {companion.path} has no photo"
        elif companion.state in _IN_PLACE and photo.state in _IN_PLACE and companion.path.parent != photo.path.parent:
            yield f"PARTED: {companion.path} is not beside {photo.path}"


def _explains_something(sidecar: Path) -> bool:
    """Whether a sidecar has its photo; it is named by the digest where the photo's own name is too long."""
    photo = sidecar.with_name(sidecar.name.removesuffix(_SIDECAR))
    return photo.exists() or any(
        _sha256(other.read_bytes()) == photo.name for other in sidecar.parent.iterdir() if other.is_file()
    )


def _below(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _is_lock(path: Path) -> bool:
    return path.parent.name == ".foodsort" and path.name in _LOCKS


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
