"""Error sidecars: the JSON files in `failed/` that explain why a photo failed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from daemon.database.timestamps import format_time
from daemon.destinations.move import Move
from daemon.fs import dirfd, names
from models import __version__
from models.filenames import escape_name

SUFFIX = b".error.json"

_MAX_BYTES = 64 << 10


def name_of(name: bytes, sha256: str) -> bytes:
    """Returns the name of the sidecar of the photo `name`; that of its digest when it would be too long."""
    sidecar = name + SUFFIX
    return sidecar if len(sidecar) <= names.MAX_NAME_BYTES else sha256.encode() + SUFFIX


def write(folder: int, name: bytes, move: Move) -> None:
    """Writes and syncs the sidecar of a failed photo, before the photo moves.

    Args:
        folder: Descriptor of the folder.
        name: Name that the photo will have in it.
        move: Move of the photo, with its failure.

    Raises:
        FileExistsError: Another file has the sidecar's name.
        OSError: The sidecar cannot be written.
    """
    assert move.failure is not None
    now = format_time(datetime.now(UTC))
    document = {
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
    sidecar = name_of(name, move.sha256)
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(sidecar, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
    except FileExistsError:
        # Ours, from an interrupted attempt, or a foreign file, which stays: then the photo needs another name.
        fd = os.open(sidecar, flags, dir_fd=folder)
        if move.sha256.encode() not in os.read(fd, _MAX_BYTES):
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        dirfd.sync(fd)


@contextmanager
def removed(folder: int, name: bytes, sha256: str) -> Iterator[None]:
    """Removes the sidecar of a failed photo; restores it when the block raises OSError.

    The sidecar goes before the photo does: once the photo is in the inbox, its next failure may write a sidecar of the
    same name.

    Args:
        folder: Descriptor of the folder.
        name: Name of the photo in it.
        sha256: Digest of the photo; a sidecar without it is a foreign file and stays.

    Raises:
        OSError: The sidecar cannot be removed.
    """
    sidecar = name_of(name, sha256)
    content = _read(folder, sidecar)
    if sha256.encode() not in content:  # no sidecar, or a foreign file
        yield
        return
    os.unlink(sidecar, dir_fd=folder)
    try:
        yield
    except OSError:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(sidecar, flags, 0o666, dir_fd=folder), "wb") as file:
            file.write(content)
        raise


def read(folder: int, name: bytes, sha256: str) -> dict[str, Any]:
    """Reads the sidecar of a failed photo.

    Args:
        folder: Descriptor of the folder.
        name: Name of the photo in it.
        sha256: Digest of the photo.

    Returns:
        The sidecar's document; empty when the photo has none that `write` could have written for these bytes.

    Raises:
        OSError: The sidecar cannot be read.
    """
    try:
        document = json.loads(_read(folder, name_of(name, sha256)))
    except ValueError:
        return {}
    types = {"kind": str, "message": str, "attempts": int, "first_failed_at": str, "sha256": str}
    is_ours = isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in types.items())
    return document if is_ours and document["sha256"] == sha256 else {}


def _read(folder: int, name: bytes) -> bytes:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
