"""Opens photos at the places that their rows name."""

import os

from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd

CHANGED = "is no longer the photo that was put there"


class OriginalMissing(Exception):
    """Raised when a place no longer has its photo. The message is a predicate, such as "is no longer there"."""


def open_original(destinations: DestinationFolders, place: bytes) -> int:
    """Opens the file at a place for reading.

    Returns:
        The descriptor; the caller closes it.

    Raises:
        OriginalMissing: There is no regular file, or it cannot be read.
    """
    try:
        with destinations.open_folder(place) as (folder, name):
            # O_NONBLOCK: a FIFO in its place must not hang us.
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise OriginalMissing("is no longer there") from None
    except OSError as error:
        raise OriginalMissing(f"cannot be read: {error.strerror}") from error
    if not dirfd.is_regular(os.fstat(fd)):
        os.close(fd)
        raise OriginalMissing(CHANGED)
    return fd
