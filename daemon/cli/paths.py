"""Path arguments of commands: words of the command line, or lines of stdin."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.queries.arguments import PathArgument
from models.filenames import unescape_name


def path_arguments(words: Iterable[str]) -> Iterator[PathArgument]:
    """The words as paths; a dash stands for the lines of stdin, which are read as they come."""
    for word in words:
        if word == "-":
            lines = (line.removesuffix(b"\n") for line in sys.stdin.buffer)
            yield from (PathArgument(os.fsdecode(line), literal=True) for line in lines if line)
        else:
            yield PathArgument(word)


def files(words: Iterable[str]) -> Iterator[Path]:
    """The files or folders that the words name: as foodsort prints names if that exists, else as the disk has them."""
    for path in path_arguments(words):
        unescaped = os.fsdecode(unescape_name(path.text))
        exists_only_as_typed = not os.path.lexists(unescaped) and os.path.lexists(path.text)
        yield Path(path.text if exists_only_as_typed else unescaped)
