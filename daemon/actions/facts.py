"""What is known of a row and of a file, and which of them belong together. Pure."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from daemon.photo import MISSING, State

Folder = Literal["food", "non_food", "unsure", "failed", "duplicates", "other", "inbox", "elsewhere"]
"""Where a file is: a setting of `[folders]`, or `elsewhere`, a folder that the settings name no more."""


class FileFacts(NamedTuple):
    """A regular file.

    Attributes:
        place: Its path as rows name places.
        folder: Which folder it is in.
        identity: Device and inode.
        sha256: Digest of its bytes; None when it was not read.
    """

    place: bytes
    folder: Folder
    identity: str
    size_bytes: int
    modified_at: str
    sha256: str | None = None


class RowFacts(NamedTuple):
    """A row whose photo should exist, or went missing.

    Attributes:
        place: The place that the row names.
        failed: Whether the photo could not be classified.
    """

    id: int
    state: State
    place: bytes
    identity: str
    sha256: str
    size_bytes: int
    modified_at: str
    failed: bool = False


class Step(NamedTuple):
    """A step that brings a row and a file together.

    Attributes:
        action: `refresh`: the photo is at its place; record the file's facts. `move`: it is at another place.
            `change`: its bytes were changed at its place. `merge`: two rows are about one photo; drop `row`. `lose`:
            the photo is gone. `add`: the file has no row.
        row: The row; None for `add`.
        file: The file; None for `merge` and `lose`.
        into: Id of the row that stays, for `merge`.
    """

    action: Literal["refresh", "move", "change", "merge", "lose", "add"]
    row: RowFacts | None = None
    file: FileFacts | None = None
    into: int | None = None


@dataclass
class Differences:
    """What was found, and done unless it was a preview.

    Attributes:
        counts: Number of steps by action.
        companions: Number of steps for companions, by action.
        unchanged: Number of rows that agree with the folders.
        ignored: Number of files that are no photos.
        unreadable: Number of files that could not be read; they and their rows were left as they are.
    """

    counts: Counter[str] = field(default_factory=Counter)
    companions: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    ignored: int = 0
    unreadable: int = 0


def is_same(row: RowFacts, file: FileFacts) -> bool:
    """Whether the file at a row's place is its photo, without reading it: by size and time, whatever its inode.

    A backup that is restored gives each file another inode.
    """
    return (row.size_bytes, row.modified_at) == (file.size_bytes, file.modified_at)


def pairs(rows: list[RowFacts], files: list[FileFacts]) -> Iterator[tuple[RowFacts, FileFacts]]:
    """Pairs rows with files of the same bytes: first those of the same place, then of the same name, then the others.

    Of several rows the newest comes first, and one that went missing last; a file in the inbox comes last. To leave out
    pairs that were applied already does not change the others.
    """
    rows = sorted(rows, key=lambda row: (row.state == MISSING, -row.id))
    files = sorted(files, key=lambda file: (file.folder == "inbox", file.place))
    keys: tuple[Callable[[bytes], bytes], ...] = (lambda place: place, os.path.basename, lambda place: b"")
    taken: set[bytes] = set()
    for key in keys:
        waiting: dict[bytes, deque[FileFacts]] = {}
        for file in files:
            if file.place not in taken:
                waiting.setdefault(key(file.place), deque()).append(file)
        left = []
        for row in rows:
            if same := waiting.get(key(row.place)):
                file = same.popleft()
                taken.add(file.place)
                yield row, file
            else:
                left.append(row)
        rows = left
