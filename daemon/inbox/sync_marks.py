"""Marks of sync tools: files and folders by which a folder is seen to be kept in step with another device."""

import fnmatch
import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

STIGNORE = ".stignore"
"""Names that Syncthing does not sync, in the folder that has its mark."""
_MOST_SUBFOLDERS = 1000


class SyncMark(NamedTuple):
    """A mark of a sync tool.

    Attributes:
        tool: Name of the tool.
        path: The mark. Its folder is synced.
    """

    tool: str
    path: Path


class _Pattern(NamedTuple):
    """A name of marks. A folder `~/.dropbox` or `~/.sync` has the tool's settings, and is none.

    Attributes:
        name: Shell pattern.
        inside: A file that the mark has, if it is a folder; empty: any.
        is_file: Whether it is no folder.
    """

    tool: str
    name: str
    inside: str = ""
    is_file: bool = False


_PATTERNS = (
    _Pattern("Syncthing", ".stfolder"),
    _Pattern("Syncthing", ".stversions"),
    _Pattern("Nextcloud", ".sync_*.db"),
    _Pattern("Nextcloud", "._sync_*.db"),
    _Pattern("Nextcloud", ".nextcloudsync.log"),
    _Pattern("Nextcloud", ".owncloudsync.log"),
    _Pattern("Dropbox", ".dropbox", is_file=True),
    _Pattern("Dropbox", ".dropbox.cache"),
    _Pattern("Resilio Sync", ".sync", inside="ID"),
    _Pattern("Google Drive", ".tmp.drivedownload"),
    _Pattern("Google Drive", ".tmp.driveupload"),
)


def find(inbox: Path) -> SyncMark | None:
    """Returns a mark in the inbox, in a folder above it, or in one directly in it; None if there is none."""
    return next(marks(inbox), None)


def marks(inbox: Path) -> Iterator[SyncMark]:
    """Yields the marks that `find` looks for. A folder that cannot be read has none."""
    path = inbox.absolute()
    for folder in (path, *path.parents):
        yield from _in(folder)
    subfolders = (entry.name for entry in _entries(path) if entry.is_dir(follow_symlinks=False))
    for name in list(itertools.islice(subfolders, _MOST_SUBFOLDERS)):
        yield from _in(path / name)


def warning(mark: SyncMark) -> str:
    """Returns what happens to photos of a synced inbox that moves them, and the fix."""
    return (
        f"{mark.tool} keeps {mark.path.parent} in step with other devices ({mark.path.name}): each photo that is sorted"
        " leaves the inbox, so it is deleted on these devices too; to leave photos there and sort copies, set take ="
        ' "copy" in [watch], as `foodsort init --from-sync` does'
    )


def lacks_ignore(folder: Path, name: str) -> bool:
    """Whether a folder of Syncthing has no line for a name in `.stignore`. Raises OSError."""
    try:
        lines = (folder / STIGNORE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return True
    names = {line.strip().removeprefix("(?d)").removeprefix("/").removesuffix("/") for line in lines}
    return name not in names


def _in(folder: Path) -> Iterator[SyncMark]:
    for entry in _entries(folder):
        if entry.name.startswith("."):
            for tool, name, inside, is_file in _PATTERNS:
                is_mark = (not inside or (folder / entry.name / inside).exists()) and not (is_file and entry.is_dir())
                if fnmatch.fnmatchcase(entry.name, name) and is_mark:
                    yield SyncMark(tool, folder / entry.name)


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries
