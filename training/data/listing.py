"""Lists the files below a folder. Nothing is opened: a FIFO would wait for its writer."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from training.data.layout import LeftOut, Reason, is_hidden


def list_files(folder: Path, without: Collection[Path] = ()) -> tuple[list[Path], list[LeftOut]]:
    """Lists the regular files below a folder, at any depth; links are followed.

    Args:
        folder: The folder.
        without: Paths below it that are passed over.

    Returns:
        The files in the order of their paths, and what is left out: hidden and other files, and folders that cannot be
        read or that were listed already.
    """
    files: list[Path] = []
    left_out: list[LeftOut] = []
    for path, reason in _walk(folder, without, set()):
        if reason is None:
            files.append(path)
        else:
            left_out.append(LeftOut(str(path), reason))
    return sorted(files), left_out


def _walk(folder: Path, without: Collection[Path], seen: set[tuple[int, int]]) -> Iterator[tuple[Path, Reason | None]]:
    """Yields files, each with the reason why it is left out. seen: device and inode of the folders so far."""
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            yield folder, Reason.REPEATED
            return
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as entries:
            # Links last, so that a folder is read by its own path and not by a link to it.
            listed = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError:
        yield folder, Reason.UNREADABLE
        return
    for entry in listed:
        path = folder / entry.name
        if path in without:
            continue
        if is_hidden(entry.name):
            yield path, Reason.HIDDEN
        elif path.is_dir():
            yield from _walk(path, without, seen)
        else:
            yield path, None if path.is_file() else Reason.NOT_REGULAR
