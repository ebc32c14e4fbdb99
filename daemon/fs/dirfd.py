"""Folders by descriptor: every step below a root is opened without following links, so no name leads outside."""

import ctypes
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from stat import S_ISDIR, S_ISREG

_RENAME_NOREPLACE = 1  # linux/fs.h
_libc = ctypes.CDLL(None, use_errno=True)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root(path: bytes) -> int:
    """Descriptor of a folder that the settings name; it alone may be a link."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def folder(root: int, path: bytes, *, create: bool = False) -> Iterator[int]:
    """Descriptor of the folder `path` (relative, may be empty) below the descriptor `root`, made if asked.

    Raises OSError: ENOENT when it is missing, ELOOP or ENOTDIR when a part of it is a link or a file.
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
            below = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def rename(source: int, old: bytes, target: int, new: bytes) -> None:
    """Renames `old` in the folder `source` to `new` in the folder `target`, never over anything.

    Raises OSError: EEXIST when `new` is taken, EXDEV when the folders lie on two filesystems.
    """
    if _libc.renameat2(source, old, target, new, _RENAME_NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code not in {errno.EINVAL, errno.ENOSYS}:
        raise OSError(code, os.strerror(code), old)
    # A filesystem without RENAME_NOREPLACE (NFS, some FUSE): a link cannot replace anything either.
    os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    sync(target)
    try:
        os.unlink(old, dir_fd=source)
    except OSError:  # it would be in both places
        os.unlink(new, dir_fd=target)
        raise
    sync(source)


def sync(fd: int, *, data_only: bool = False) -> None:
    """Puts a file or a folder's entries on the disk, where the filesystem can. Raises OSError when that fails.

    data_only: not times and mode of a file, which may need a write of their own (fdatasync(2)).
    """
    try:
        (os.fdatasync if data_only else os.fsync)(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EROFS}:  # nothing there to be synced
            raise


def sync_folder(path: bytes) -> None:
    """Puts the entries of the folder at a path on the disk. Raises OSError."""
    fd = open_root(path)
    try:
        sync(fd)
    finally:
        os.close(fd)


def sha256(at: int, name: bytes) -> str:
    """sha256 in hex of the regular file `name` in the folder `at`. Raises OSError, ELOOP for a link."""
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exists(at: int, name: bytes) -> bool:
    """Whether the folder `at` has an entry `name`, links included."""
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def files(
    root: int,
    path: bytes = b"",
    skip: Callable[[bytes], bool] = lambda name: False,
    closed: Callable[[bytes, OSError], None] | None = None,
) -> Iterator[tuple[bytes, os.stat_result]]:
    """(path relative to `root`, stat) of everything below `path` that is not a folder; folders are entered, links never.

    skip: names to pass over, folders with all that is in them. What vanishes meanwhile is passed over too.
    closed: told of folders that cannot be looked into, which end the walk with OSError when it is not given.
    """
    folders = [path]
    while folders:
        here = folders.pop()
        below = []
        try:
            with folder(root, here) as at, os.scandir(at) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if skip(name):
                        continue
                    try:
                        stat = os.stat(name, dir_fd=at, follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if S_ISDIR(stat.st_mode):
                        below.append(join(here, name))
                    else:
                        yield join(here, name), stat
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            if closed is None:
                raise
            closed(here, error)
        folders += below


def remove_empty(root: int, path: bytes) -> None:
    """Removes the folder `path` below `root` and its parents as far as they are empty."""
    while path:
        parent, name = split(path)
        try:
            with folder(root, parent) as at:
                os.rmdir(name, dir_fd=at)
        except OSError:  # not empty, or gone already
            return
        path = parent


def join(path: bytes, name: bytes) -> bytes:
    """`path/name`, or `name` where the path is empty."""
    return path + b"/" + name if path else name


def split(path: bytes) -> tuple[bytes, bytes]:
    """(folder, name) of a relative path; the folder is empty at the top."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def identity(stat: os.stat_result) -> str:
    """Device and inode, which a rename keeps."""
    return f"{stat.st_dev}:{stat.st_ino}"


def is_regular(stat: os.stat_result) -> bool:
    """Whether it is a regular file rather than a link, FIFO, socket, device or folder."""
    return S_ISREG(stat.st_mode)
