"""Which rows follow which files, and which of these moves are labels. Pure: facts in, moves out."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from daemon.actions.facts import FileFacts, Folder, RowFacts, is_same, pairs
from daemon.actions.labels import PersonLabel
from daemon.photo import DUPLICATE, FAILED, FILED, MISSING, MOVING, OTHER, RETRY, UNDONE, UNREAD_SHA256, State
from models import Label

_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)

PRESENT: tuple[State, ...] = (FILED, FAILED, DUPLICATE, OTHER)
"""States of photos that are in a folder of sorted photos."""

FOLLOWED: tuple[State, ...] = (*PRESENT, MISSING, UNDONE, RETRY)
"""States of photos whose rows follow them into such a folder. The others are being moved by foodsort itself."""

SORTED_FOLDERS: tuple[Folder, ...] = ("food", "non_food", "unsure", "failed", "duplicates", "other")
"""Folders in which rows follow their photos."""


@dataclass(frozen=True)
class Facts:
    """What is known of some places.

    Attributes:
        files: The regular files at these places. One with a digest is on a filesystem where inodes do not last.
        same_file: Rows in FOLLOWED states with the identity of one of the files.
        same_place: Rows that name one of the places, in any of these states or on their way.
        at: The regular file at the place of each of these rows; None if there is none.
    """

    files: list[FileFacts]
    same_file: list[RowFacts] = field(default_factory=list)
    same_place: list[RowFacts] = field(default_factory=list)
    at: Mapping[bytes, FileFacts | None] = field(default_factory=dict)


class Move(NamedTuple):
    """A photo that is at another place than its row names, or that was missing."""

    row: RowFacts
    file: FileFacts


class Matches(NamedTuple):
    """The rows of files.

    Attributes:
        moves: Photos that somebody moved.
        strangers: Files that belong to no row by their identity: other files, or copies.
        lost: Rows without a file.
    """

    moves: list[Move]
    strangers: list[FileFacts]
    lost: list[RowFacts]


def match_files(facts: Facts) -> Matches:
    """Finds the rows of files by their identities. A file at the place that its row names has not moved."""
    same_file = _grouped(facts.same_file, lambda row: row.identity)
    same_place = _grouped(facts.same_place, lambda row: row.place)
    taken: set[int] = set()
    moves = []
    strangers = []
    for file in facts.files:
        rows = same_file.get(file.identity, [])
        here = same_place.get(file.place, [])
        if any(row.state in MOVING for row in here) or any(_is_at(row, file) for row in rows):
            continue
        back = (row for row in here if row.state == MISSING and is_same(row, file))
        moved = (row for row in rows if _has_left(row, file, facts.at) and _is_photo(row, file))
        if row := _best((row for row in (*moved, *back) if row.id not in taken), file):
            taken.add(row.id)
            moves.append(Move(row, file))
        elif not any(row.state in PRESENT for row in here):
            strangers.append(file)
    targets = {move.file.place for move in moves}
    lost = [
        row
        for row in facts.same_place
        if row.state in PRESENT and row.id not in taken and (facts.at.get(row.place) is None or row.place in targets)
    ]
    return Matches(moves, strangers, lost)


def match_copies(rows: list[RowFacts], files: Iterable[FileFacts]) -> list[Move]:
    """Finds the rows of files by their bytes: a move to another filesystem is a copy and a removal.

    Args:
        rows: Rows without a file.
        files: Files without a row, with their digests.
    """
    lost = _grouped(rows, _bytes_of_row)
    free = _grouped(files, lambda file: (file.sha256, file.size_bytes))
    moves = []
    for key, same in lost.items():
        if key[0] != UNREAD_SHA256:  # it stands for the bytes of any large file
            moves += [Move(row, file) for row, file in pairs(same, free.get(key, []))]
    return moves


def label_of(source: Folder, target: Folder, label: Label | None) -> PersonLabel | None:
    """The label that a person gives by a move; None if the move says nothing.

    Args:
        source: The folder that the photo was in.
        target: The folder that it is in now.
        label: The label that the photo has; None if it has none, as a failed one.
    """
    if target not in {"food", "non_food"} or target == source:
        return None
    given: PersonLabel = "food" if target == "food" else "non_food"
    if source in {"food", "non_food", "unsure"}:
        return given
    # Out of another folder, the move says something only if it contradicts the label.
    return given if label is not None and label != given else None


def _is_at(row: RowFacts, file: FileFacts) -> bool:
    """Whether a file with a row's identity is at the row's place: there it may have been edited."""
    return row.place == file.place and row.state != MISSING


def _has_left(row: RowFacts, file: FileFacts, at: Mapping[bytes, FileFacts | None]) -> bool:
    """Whether a row's place no longer has its photo. Of a file with several names each is a photo of its own."""
    if row.state == MISSING:
        return True
    other = at.get(row.place)
    return row.place != file.place and (other is None or (other.identity != row.identity and not is_same(row, other)))


def _is_photo(row: RowFacts, file: FileFacts) -> bool:
    """Whether a file with a row's identity is its photo: an inode is soon given to another file.

    A photo that was edited before it moved has its name still.
    """
    if file.sha256 is not None:
        return file.sha256 == row.sha256
    is_edited = row.state != MISSING and os.path.basename(row.place) == os.path.basename(file.place)
    return is_same(row, file) or is_edited


def _best(rows: Iterable[RowFacts], file: FileFacts) -> RowFacts | None:
    """The row that names this place or name, or else the newest; one that went missing comes last."""

    def order(row: RowFacts) -> tuple[bool, bool, bool, int]:
        has_name = os.path.basename(row.place) == os.path.basename(file.place)
        return row.place != file.place, row.state == MISSING, not has_name, -row.id

    return min(rows, key=order, default=None)


def _bytes_of_row(row: RowFacts) -> tuple[str | None, int]:
    return row.sha256, row.size_bytes


def _grouped(values: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    groups: dict[_K, list[_T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups
