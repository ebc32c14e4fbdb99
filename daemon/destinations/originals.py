"""Opens photos where their rows say that they lie."""

import os

from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd

NO_LONGER = "is no longer the photo that was put there"


class OriginalMissing(Exception):
    """Raised when a photo is not what its row says. The message says why."""


def open_original(destinations: DestinationFolders, path: bytes) -> int:
    """Descriptor, open for reading, of the file at a path as rows name places. Raises OriginalMissing."""
    try:
        with destinations.folder_of(path) as (folder, name):
            # O_NONBLOCK: a FIFO in its place must not hang us.
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise OriginalMissing("is no longer there") from None
    except OSError as error:
        raise OriginalMissing(f"cannot be read: {error.strerror}") from error
    if not dirfd.is_regular(os.fstat(fd)):
        os.close(fd)
        raise OriginalMissing(NO_LONGER)
    return fd
