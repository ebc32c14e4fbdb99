"""Sub-folders of a destination: a file, a link or missing rights may be in a photo's way."""

import errno
import os
from collections.abc import Sequence

from daemon.fs import filesystem, names

_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM})
_MAX_NUMBER = 1000


def usable_path(folder: int, parts: Sequence[bytes]) -> tuple[bytes, ...]:
    """Returns the path of a sub-folder in which photos can get a name; it need not exist.

    A file or a link named `trip`, or a folder `trip` without rights, must not stop the photos for `trip/`: these move to
    `trip (2)/`.

    Args:
        folder: Descriptor of a folder.
        parts: Names of the sub-folders.

    Returns:
        The names, with a number where something is in the way.

    Raises:
        PermissionError: Nothing can be created in the folder.
        OSError: The folder cannot be read, or is on a read-only filesystem.
    """
    if not parts:
        if _is_writable(folder):
            return ()
        is_read_only = os.fstatvfs(folder).f_flag & os.ST_RDONLY
        code = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(code, os.strerror(code))
    first, *rest = parts
    limit = filesystem.max_name_bytes(folder)
    for number in range(1, _MAX_NUMBER):
        name = names.numbered(first, number, limit)
        try:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            usable_path(folder, ())
            return (name, *rest)
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                continue
            raise
        try:
            return (name, *usable_path(child, rest))
        except PermissionError:
            continue
        finally:
            os.close(child)
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _is_writable(folder: int) -> bool:
    return os.access(b".", os.W_OK | os.X_OK, dir_fd=folder)
