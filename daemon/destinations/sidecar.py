"""The files in `failed/` that say why a photo beside them failed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from daemon.database.timestamps import format_time
from daemon.destinations.move import Move
from daemon.fs import dirfd, names
from models import __version__
from models.filenames import escape_name

_REASON_BYTES = 64 << 10


def name_of(name: bytes, sha256: str) -> bytes:
    """Name of the file that says why the photo `name` failed."""
    beside = name + b".error.json"
    return beside if len(beside) <= names.MAX_NAME_BYTES else sha256.encode() + b".error.json"


def write(folder: int, name: bytes, move: Move) -> None:
    """Writes why the photo that is to be `name` in a folder failed. Raises FileExistsError when its name is taken, OSError."""
    assert move.failure is not None
    now = format_time(datetime.now(UTC))
    said = {
        "name": escape_name(dirfd.split(move.source)[1]),
        "kind": move.failure.kind,
        "message": move.failure.message,
        "attempts": move.attempts,
        "first_failed_at": move.first_failed_at or now,
        "last_failed_at": now,
        "sha256": move.sha256,
        "foodsort": __version__,
        "model": move.model,
    }
    reason = name_of(name, move.sha256)
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(reason, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
    except FileExistsError:
        # Ours, of a try that was cut short, or somebody else's file, which stays: then the photo goes elsewhere.
        fd = os.open(reason, flags, dir_fd=folder)
        if move.sha256.encode() not in os.read(fd, _REASON_BYTES):
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        dirfd.sync(fd)


@contextmanager
def removed(folder: int, name: bytes, sha256: str) -> Iterator[None]:
    """Removes the reason beside a failed photo; puts it back when the block fails.

    It goes before the photo does: the next failure may write one of the same name the moment the photo is in the inbox.
    """
    reason = name_of(name, sha256)
    said = _read(folder, reason)
    if sha256.encode() not in said:  # none, or somebody else's file
        yield
        return
    os.unlink(reason, dir_fd=folder)
    try:
        yield
    except OSError:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(reason, flags, 0o666, dir_fd=folder), "wb") as file:
            file.write(said)
        raise


def _read(folder: int, name: bytes) -> bytes:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
