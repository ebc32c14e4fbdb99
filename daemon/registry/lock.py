"""The lock of the learned models of a root: one process at a time learns, promotes or rolls back. It ends with it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.inbox.owner import require_daemon_user
from daemon.registry.promotions import models_folder
from daemon.settings import FolderSettings
from models.errors import FoodsortError

_LOCK = ".lock"


@contextmanager
def exclusive(root: Path, folders: FolderSettings) -> Iterator[Path]:
    """Holds the lock, as the daemon's user; makes the folder of the models if it is missing.

    Args:
        root: The root.
        folders: Its folders; the user is checked by the inbox.

    Yields:
        The folder of the models, absolute.

    Raises:
        FoodsortError: Another process holds it, another user sorts photos here, or the folder cannot be used.
    """
    folder = models_folder(root)
    try:
        require_daemon_user(root / folders.inbox)
    except FileNotFoundError:
        raise FoodsortError(
            f"no daemon has sorted photos in {root} yet; start one: foodsort run --root {root}"
        ) from None
    except OSError as error:
        raise FoodsortError(f"the inbox {root / folders.inbox} cannot be used: {error.strerror}") from error
    try:
        folder.mkdir(exist_ok=True)
        fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise FoodsortError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except BlockingIOError:
        raise FoodsortError(
            "another call of foodsort learns, or changes the live model, in this root; nothing was changed, try again "
            "when it is done"
        ) from None
    finally:
        os.close(fd)
