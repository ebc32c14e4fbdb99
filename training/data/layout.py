"""The rule by which the files of a data set get their labels, or why a file is left out."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from models.filenames import escape_name
from models.images.formats import EXTENSIONS
from models.plurals import plural

Parts = tuple[str, ...]
"""A path by its parts, relative to the split or the data set; the last one is the file's name."""

_CLASS_FOLDERS = {"food": 1, "nonfood": 0, "notfood": 0, "nofood": 0}
"""Labels by the names of folders, in small letters and without separators."""
_LABELLED_NAME = re.compile(r"([01])_.+\.[^.]+")
_SIMILAR_NAME = re.compile(r"(\d+)(-| (?!\())\S.*\.[^.]+")  # but not 1 (2).jpg, which is a copy of 1.jpg
_DATE = re.compile(r"\d+([-_. ])\d{1,2}\1\d{2,4}\b")
_EXAMPLES = 3


class Reason(StrEnum):
    """Why a file is left out."""

    HIDDEN = "hidden"
    NOT_REGULAR = "no regular file (FIFO, socket, device, dangling link)"
    UNREADABLE = "folder that cannot be read"
    REPEATED = "link to a folder that is read already"
    NO_PICTURE = "ending of no supported picture format"
    OUTSIDE = "outside training/, validation/ and evaluation/"
    NO_CLASS = "in a folder that is no class"
    TWO_CLASSES = "in folders of both classes"
    NO_LABEL = "no label in the name"
    NAME_BESIDE_FOLDERS = "label in the name, where folders give the labels"


class LeftOut(NamedTuple):
    """A file or a folder that is left out.

    Attributes:
        path: Its path.
        reason: Why.
    """

    path: str
    reason: Reason


class _Found(NamedTuple):
    """What a path says of the label."""

    label: int
    by: Literal["folder", "name", "similar name"]


def assign(files: Sequence[Parts]) -> list[int | Reason]:
    """Assigns labels to the files of one split.

    A folder named like a class gives the label of all photos below it: `food/cakes/1.jpg`, `non-food/1.jpg`. In a split
    without such folders it is the name: `1_12.jpg`, and `1-12.jpg` or `1 12.jpg` where no other number begins a name of
    that kind; otherwise the numbers count something else.

    Args:
        files: The regular files that are not hidden.

    Returns:
        For each file its label (1 = food), or why it is left out.
    """
    found = [_find(parts) for parts in files]
    ways = {one.by for one in found if isinstance(one, _Found)}
    refused = None
    if "folder" in ways:
        refused = Reason.NAME_BESIDE_FOLDERS
    elif any(_other_number(parts[-1]) for parts in files):
        refused = Reason.NO_LABEL
    assigned: list[int | Reason] = []
    for one in found:
        if not isinstance(one, _Found):
            assigned.append(one)
        elif one.by == "folder" or refused is None or (one.by == "name" and "folder" not in ways):
            assigned.append(one.label)
        else:
            assigned.append(refused)
    return assigned


def is_labelled(name: str) -> bool:
    """Whether a name is `{label}_{id}`, as in Food-5K."""
    return is_picture(name) and _LABELLED_NAME.fullmatch(name) is not None


def is_hidden(name: str) -> bool:
    """Whether a file or a folder is hidden, or belongs to a desktop and not to the data."""
    return name.startswith(".") or name in {"Thumbs.db", "desktop.ini", "@eaDir", "__MACOSX"}


def is_picture(name: str) -> bool:
    """Whether an ending is that of a supported format. What a file is, its bytes decide."""
    _, dot, ending = name.rpartition(".")
    return f"{dot}{ending}".lower() in EXTENSIONS


def summary(left_out: Iterable[LeftOut]) -> list[tuple[Reason, list[str]]]:
    """Returns the paths that were left out, by reason, the most frequent reason first."""
    paths: dict[Reason, list[str]] = {}
    for path, reason in left_out:
        paths.setdefault(reason, []).append(path)
    return sorted(paths.items(), key=lambda item: -len(item[1]))


def lines(left_out: Iterable[LeftOut]) -> list[str]:
    """Returns a line for each reason: the number of files, and some of them."""
    return [
        f"left out, {reason}: {len(paths)} {plural(len(paths), 'file')}, such as {examples(paths)}"
        for reason, paths in summary(left_out)
    ]


def examples(paths: list[str]) -> str:
    """Returns the first paths as text."""
    return ", ".join(map(escape_name, paths[:_EXAMPLES]))


def _find(parts: Parts) -> "_Found | Reason":
    """What a path says, without the other files."""
    *folders, name = parts
    if not is_picture(name):
        return Reason.NO_PICTURE
    labels = {_CLASS_FOLDERS[key] for folder in folders if (key := _key(folder)) in _CLASS_FOLDERS}
    if len(labels) == 2:
        return Reason.TWO_CLASSES
    if labels:
        return _Found(labels.pop(), "folder")
    if match := _LABELLED_NAME.fullmatch(name):
        return _Found(int(match[1]), "name")
    match = _SIMILAR_NAME.fullmatch(name)
    if match and match[1] in {"0", "1"} and not _DATE.match(name):
        return _Found(int(match[1]), "similar name")
    return Reason.NO_CLASS if folders else Reason.NO_LABEL


def _other_number(name: str) -> bool:
    """Whether a name begins as one with a label would, but with another number."""
    match = _SIMILAR_NAME.fullmatch(name)
    return match is not None and is_picture(name) and match[1] not in {"0", "1"}


def _key(folder: str) -> str:
    return re.sub(r"[\s_-]+", "", folder.casefold())
