"""Folders of bundles that appear whole or not at all, and the base beside a bundle that stands on it."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.bundle import CARD, Bundle, folder_name
from models.errors import BundleError

UNFINISHED = ".unfinished-"
"""Prefix of a folder that a running process fills. One that no process has locked was left by a killed one."""

_PIECE = 1 << 30


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Gives a folder to fill, which becomes `out` at the end, or vanishes with an error or an interrupt.

    Args:
        out: A path at which nothing or an empty folder is.

    Raises:
        OSError: The folder cannot be made, or something else has appeared at `out`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(out.parent)
    folder, lock = _make_locked(out.parent)
    try:
        yield folder
        for path in (*folder.iterdir(), folder):
            _sync(path)
        folder.rename(out)  # replaces an empty folder alone
        _sync(out.parent)
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _make_locked(parent: Path) -> tuple[Path, int]:
    """Makes a folder and locks it; returns it and the descriptor of the lock."""
    while True:
        folder = parent / f"{UNFINISHED}{secrets.token_hex(8)}"
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else another process has taken it for an abandoned one just before it was locked
            return folder, lock
        os.close(lock)


def place_base(base: Bundle, parent: Path) -> None:
    """Puts a base into a folder beside the bundles that stand on it, unless it is there.

    Raises:
        BundleError: Another or a damaged bundle is at its place.
        OSError: There is no room for it.
    """
    place = parent / folder_name(base.sha256)
    if not place.exists():
        try:
            with new_folder(place) as folder:
                for name in (CARD, *base.card.files):
                    _copy(base.path(name), folder / name)
                Bundle.load(folder)  # verifies the copies before they get their name
        except OSError:
            if not (place / CARD).is_file():  # else another process has just placed it
                raise
    if Bundle.load(place).sha256 != base.sha256:
        raise BundleError(f"{place} is another bundle than the one that its name means; move it away")


def _copy(path: Path, to: Path) -> None:
    """Copies a file, sharing its blocks where the filesystem can. A hard link would share later changes too."""
    with path.open("rb") as source, to.open("xb") as target:
        try:
            while os.copy_file_range(source.fileno(), target.fileno(), _PIECE):
                pass
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            source.seek(0)  # the descriptors' own positions: nothing was read through the buffers
            os.ftruncate(target.fileno(), 0)
            target.seek(0)
            shutil.copyfileobj(source, target)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
