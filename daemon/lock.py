"""One daemon an inbox: a lock that the kernel drops when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from models.errors import FoodsortError


class Lock:
    """Holds `<inbox>/.foodsort/lock` from when it is made until it is released."""

    def __init__(self, inbox: Path) -> None:
        """Raises FoodsortError that says who holds the lock."""
        path = inbox / ".foodsort" / "lock"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip()
            os.close(self._fd)
            raise FoodsortError(
                f"process {holder} sorts {inbox} already; stop it first, or let it do the work"
            ) from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Lets the next one in."""
        os.close(self._fd)
