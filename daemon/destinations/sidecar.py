"""Error sidecars: the JSON files in `failed/` that explain why a photo failed."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from daemon.database.timestamps import format_time
from daemon.destinations.move import Move
from daemon.fs import dirfd, names
from daemon.fs.entry import Entry
from daemon.fs.part import new_part
from daemon.fs.rename import is_placeholder, rename
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
    sidecar = Entry(folder, name_of(name, move.sha256))
    with new_part(folder, mode=0o666) as (part, fd), open(fd, "w", encoding="utf-8", closefd=False) as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        dirfd.sync(fd)
        take(folder, name, move.sha256)  # of an interrupted attempt; a foreign file stays
        if is_placeholder(sidecar):  # of an interrupted attempt, too
            sidecar.remove()
        rename(part, sidecar)


def take(folder: int, name: bytes, sha256: str) -> bytes:
    """Removes the sidecar of a failed photo.

    Args:
        folder: Descriptor of the folder.
        name: Name of the photo in it.
        sha256: Digest of the photo; a sidecar without it is a foreign file and stays.

    Returns:
        Its content for `put_back`; empty when the photo has none.

    Raises:
        OSError: The sidecar cannot be removed.
    """
    sidecar = Entry(folder, name_of(name, sha256))
    content = _content(sidecar)
    if sha256.encode() not in content:
        return b""
    sidecar.remove()
    return content


def put_back(folder: int, name: bytes, sha256: str, content: bytes) -> None:
    """Restores a sidecar that `take` removed. Raises OSError."""
    with new_part(folder, mode=0o666) as (part, fd):
        os.write(fd, content)
        rename(part, Entry(folder, name_of(name, sha256)))


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
        document = json.loads(_content(Entry(folder, name_of(name, sha256))))
    except ValueError:
        return {}
    types = {"kind": str, "message": str, "attempts": int, "first_failed_at": str, "sha256": str}
    is_ours = isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in types.items())
    return document if is_ours and document["sha256"] == sha256 else {}


def _content(sidecar: Entry) -> bytes:
    """The content of a file; nothing if there is none. Raises OSError."""
    stat = sidecar.find()
    if stat is None or not dirfd.is_regular(stat):
        return b""
    with open(sidecar.open(), "rb") as file:
        return file.read(_MAX_BYTES)
