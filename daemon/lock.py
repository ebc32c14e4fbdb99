"""One daemon an inbox, one call at a time that takes photos back: locks that the kernel drops when their holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def turn(inbox: Path, wait: Callable[[], bool]) -> Iterator[bool]:
    """Holds `<inbox>/.foodsort/back.lock`, which whoever takes photos back does; yields whether it got it.

    wait: asked when another one holds it; True waits for its end. Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(inbox / ".foodsort" / "back.lock", flags, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            got = True
        except BlockingIOError:
            got = wait()
            if got:
                fcntl.flock(fd, fcntl.LOCK_EX)
        yield got
    finally:
        os.close(fd)
