"""Opens the files of photos."""

import os
import stat
from io import BufferedReader


def open_photo(path: str) -> BufferedReader:
    """Opens a regular file to read it. A FIFO of its name is not waited for.

    Raises:
        OSError: There is no such file, it may not be read, or it is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(None, "is no regular file", path)
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise
