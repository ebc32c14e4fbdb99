"""Room on the disk: errors that name the place and the cure."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import FoodsortError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOTHING_BYTES = 64 * 1024


class DiskFullError(FoodsortError):
    """Raised when there is no room for a file."""


@contextmanager
def disk_full_errors(place: Path, advice: str) -> Iterator[None]:
    """Turns the errors of a full disk into one that names the place.

    Args:
        place: The folder that is written to; it need not exist yet.
        advice: What to do when there is room again, to follow a semicolon.

    Raises:
        DiskFullError: The disk is full.
    """
    try:
        yield
    except FoodsortError:
        raise
    except Exception as error:
        if not _is_full(error, place):
            raise
        raise DiskFullError(
            f"no room on the disk of {place} ({_free_bytes(place) / 1e6:,.0f} MB are free); free some space, or choose "
            f"another disk with --out; {advice}"
        ) from error


def require_new(out: Path) -> None:
    """Raises FoodsortError if something is in the way of a new folder; an empty folder is not."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FoodsortError(f"{out} already exists; name a new folder with --out")


def new_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Makes a `.npy` file and returns its array, memory-mapped.

    Raises:
        OSError: There is no room for it. Without its blocks, writing to the mapping would end the process (SIGBUS).
    """
    array: npt.NDArray[Any] = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return array


def _is_full(error: Exception, place: Path) -> bool:
    """Whether an error is that of a full disk. Libraries for HDF5 and OpenVINO raise errors of their own."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(os.strerror(number) in str(error) for number in _FULL) or _free_bytes(place) < _NOTHING_BYTES


def _free_bytes(place: Path) -> int:
    """Returns the free bytes of the disk of a folder, or of the one that it will be made in."""
    existing = next(path for path in (place, *place.absolute().parents) if path.exists())
    stat = os.statvfs(existing)
    return stat.f_bavail * stat.f_frsize
