"""Paths as people and programs give them to a command: as words, or as the lines of stdin."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.queries.pathspec import Line
from models.filenames import unescape_name


def words(given: Iterable[str]) -> Iterator[str]:
    """The words, with the lines of stdin in place of a dash, as they come."""
    for word in given:
        if word == "-":
            lines = (line.removesuffix(b"\n") for line in sys.stdin.buffer)
            yield from (Line(os.fsdecode(line)) for line in lines if line)
        else:
            yield word


def files(given: Iterable[str]) -> Iterator[Path]:
    """The files or folders on the disk that the words name: as foodsort shows names, else as they are called there."""
    for word in words(given):
        printed = os.fsdecode(unescape_name(word))
        yield Path(printed if os.path.lexists(printed) or not os.path.lexists(word) else word)
