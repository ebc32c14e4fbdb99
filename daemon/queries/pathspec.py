"""The readings of a path that a person typed, in the order in which they are tried."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.queries import globs
from models.filenames import escape_control_characters, escape_name, unescape_name

PathCandidates = frozenset[bytes]
"""The forms in which rows may have one path: absolute, and relative to the root."""


def candidates(path: str, root: Path) -> list[PathCandidates]:
    """The readings of a path, each once.

    A reading below the root comes before one below the working folder. For each, the path as `escape_name` prints it
    comes before the path as it is on the disk.
    """
    prefixes = [os.fsencode(prefix) for prefix in _root_prefixes(root)]
    readings = []
    for base in (os.fsencode(root.absolute()), os.getcwdb()):
        for name in (unescape_name(path), os.fsencode(path)):
            absolute = os.path.normpath(os.path.join(base, name))
            relative = {absolute[len(prefix) :] for prefix in prefixes if absolute.startswith(prefix)}
            readings.append(PathCandidates({absolute} | relative))
    return list(dict.fromkeys(readings))


def patterns(path: str, root: Path) -> Iterator[set[str]]:
    """The readings of a path as a pattern, in the same order; none if it has no special character."""
    typed = re.sub(r"\\(?!x)", r"\\x5c", escape_control_characters(path))
    if not globs.is_glob(typed):
        return
    prefixes = [form for prefix in _root_prefixes(root) for form in (_literal(prefix), escape_name(prefix))]
    for base in (str(root.absolute()), os.getcwd()):
        absolute = os.path.normpath(os.path.join(_literal(base), typed))
        yield {absolute} | {absolute.removeprefix(prefix) for prefix in prefixes}


def names(readings: Iterable[PathCandidates]) -> set[str]:
    """The names of photos at these paths, as rows have them."""
    return {escape_name(os.path.basename(place)) for reading in readings for place in reading}


def _root_prefixes(root: Path) -> tuple[str, str]:
    """The root as it was named and with its links resolved, each with a slash at its end."""
    return os.path.join(root.absolute(), ""), os.path.join(os.path.realpath(root), "")


def _literal(path: str) -> str:
    """The pattern that matches one path of the disk only."""
    return re.sub(r"[*?[]", lambda sign: f"\\x{ord(sign[0]):02x}", escape_name(path))
