"""Folders by descriptor: each step below a root is opened without following links, so no path leads outside."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from stat import S_ISDIR, S_ISREG

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root(path: bytes) -> int:
    """Opens a folder that the settings name; only this one may be a link. Returns its descriptor."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def open_folder(root: int, path: bytes, *, create: bool = False) -> Iterator[int]:
    """Opens a folder below another folder and yields its descriptor.

    Args:
        root: Descriptor of the folder that the path starts from.
        path: Relative path, may be empty.
        create: Whether to make the folders that are missing.

    Raises:
        OSError: ENOENT when the folder is missing, ELOOP or ENOTDIR when a part of the path is a link or a file.
    """
    at = os.dup(root)
    try:
        for part in path.split(b"/") if path else ():
            if part in {b"", b".", b".."}:
                raise OSError(errno.EINVAL, "not a plain relative path", path)
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o777, dir_fd=at)
                    sync(at)
            child = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = child
        yield at
    finally:
        os.close(at)


def sync(fd: int, *, data_only: bool = False) -> None:
    """Writes a file, or the entries of a folder, to the disk; does nothing where the filesystem does not support it.

    Args:
        fd: Descriptor of the file or folder.
        data_only: Whether to leave out times and mode, which may need a write of their own (fdatasync(2)).

    Raises:
        OSError: The write failed.
    """
    try:
        (os.fdatasync if data_only else os.fsync)(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EROFS}:  # nothing can be synced there
            raise


def sync_folder(path: bytes) -> None:
    """Writes the entries of the folder at a path to the disk. Raises OSError."""
    fd = open_root(path)
    try:
        sync(fd)
    finally:
        os.close(fd)


def walk(
    root: int,
    path: bytes = b"",
    skip: Callable[[bytes], bool] = lambda name: False,
    on_unreadable: Callable[[bytes, OSError], None] | None = None,
) -> Iterator[tuple[bytes, os.stat_result]]:
    """Walks through a folder and its subfolders; follows no links.

    An entry that disappears during the walk is left out.

    Args:
        root: Descriptor of the folder that paths are relative to.
        path: The folder to walk through, relative to `root`.
        skip: Whether to leave out an entry with this name; a folder is left out with everything in it.
        on_unreadable: Called with each folder that cannot be read, and the error. Without it, the error is raised.

    Yields:
        Path relative to `root`, and stat, of everything that is not a folder.

    Raises:
        OSError: A folder cannot be read.
    """
    folders = [path]
    while folders:
        parent = folders.pop()
        subfolders = []
        try:
            with open_folder(root, parent) as at, os.scandir(at) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if skip(name):
                        continue
                    try:
                        stat = os.stat(name, dir_fd=at, follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if S_ISDIR(stat.st_mode):
                        subfolders.append(join(parent, name))
                    else:
                        yield join(parent, name), stat
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            if on_unreadable is None:
                raise
            on_unreadable(parent, error)
        folders += subfolders


def remove_empty_folders(root: int, path: bytes) -> None:
    """Removes the folder `path` below `root`, then its parents, as long as they are empty."""
    while path:
        parent, name = split(path)
        try:
            with open_folder(root, parent) as at:
                os.rmdir(name, dir_fd=at)
        except OSError:  # not empty, or already removed
            return
        path = parent


def join(path: bytes, name: bytes) -> bytes:
    """Returns `path/name`, or `name` when the path is empty."""
    return path + b"/" + name if path else name


def split(path: bytes) -> tuple[bytes, bytes]:
    """Splits a relative path into folder and name; the folder of a top-level name is empty."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def identity(stat: os.stat_result) -> str:
    """Returns device and inode as text; a rename does not change them."""
    return f"{stat.st_dev}:{stat.st_ino}"


def is_regular(stat: os.stat_result) -> bool:
    """Whether a stat is of a regular file, not of a link, FIFO, socket, device or folder."""
    return S_ISREG(stat.st_mode)
