"""What a path that a person gave may mean, in the order in which it is tried."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from daemon.queries import globs
from models.filenames import escape_control_characters, escape_name, unescape_name

PathCandidates = frozenset[bytes]
"""What rows may call one path."""


class Line(str):
    """A line of stdin: a path, and never a pattern, since lists are made of names that are what they are."""


def places(given: str, root: Path) -> list[PathCandidates]:
    """The readings of a path: below the root before below the working folder, as `escape_name` prints names before as they are."""
    found = []
    for base in (os.fsencode(root.absolute()), os.getcwdb()):
        for name in (unescape_name(given), os.fsencode(given)):
            absolute = os.path.normpath(os.path.join(base, name))
            tops = map(os.fsencode, _tops(root))
            found.append(
                PathCandidates({absolute, *(absolute[len(top) :] for top in tops if absolute.startswith(top))})
            )
    return list(dict.fromkeys(found))


def patterns(given: str, root: Path) -> Iterator[set[str]]:
    """The readings of a pattern, in the same order; none of what is no pattern."""
    typed = re.sub(r"\\(?!x)", r"\\x5c", escape_control_characters(given))
    if not globs.is_glob(typed):
        return
    for base in (str(root.absolute()), os.getcwd()):
        absolute = os.path.normpath(os.path.join(_literal(base), typed))
        tops = (one for top in _tops(root) for one in (_literal(top), escape_name(top)))
        yield {absolute, *(absolute.removeprefix(top) for top in tops)}


def names(given: list[PathCandidates]) -> set[str]:
    """The names that photos at these places have, as rows have them."""
    return {escape_name(os.path.basename(place)) for reading in given for place in reading}


def _tops(root: Path) -> tuple[str, str]:
    """The root as it is given and without links, each with a slash at its end."""
    return os.path.join(root.absolute(), ""), os.path.join(os.path.realpath(root), "")


def _literal(path: str) -> str:
    """The pattern that matches a path of the disk, and no other."""
    return re.sub(r"[*?[]", lambda sign: f"\\x{ord(sign[0]):02x}", escape_name(path))
