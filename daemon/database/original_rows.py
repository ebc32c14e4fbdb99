"""Originals as values, and the statements of the transactions that record copies."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.rows import path_columns
from daemon.database.schema import originals, photos
from daemon.photo import RETRY, RETRYING
from models.filenames import escape_name

_WRITE = sa.text(
    """
    INSERT INTO originals (photo_id, companion_id, inbox_path, inbox_path_bytes, sha256, stamp)
    VALUES (:photo_id, :companion_id, :inbox_path, :inbox_path_bytes, :sha256, :stamp)
    ON CONFLICT (inbox_path_bytes, sha256) DO UPDATE
    SET photo_id = excluded.photo_id, companion_id = excluded.companion_id, stamp = excluded.stamp
    """
)


class NewOriginal(NamedTuple):
    """A file in the inbox whose copy is about to be sorted; see `Original` in `originals`."""

    path: bytes
    sha256: str
    stamp: str


def write(
    connection: sa.Connection,
    of_photos: Mapping[int, NewOriginal],
    of_companions: Mapping[int, NewOriginal] | None = None,
) -> None:
    """Writes the originals of photos and companions, by the ids of their rows."""
    rows = [_columns(original, photo_id=row_id) for row_id, original in of_photos.items()]
    rows += [_columns(original, companion_id=row_id) for row_id, original in (of_companions or {}).items()]
    if rows:
        connection.execute(_WRITE, rows)


def retried(connection: sa.Connection, files: Iterable[NewOriginal]) -> "list[sa.Row[Any]]":
    """Returns id, attempts, first_failed_at of photos that are to be sorted again, with path and digest of originals."""
    wanted = list(files)
    if not wanted:
        return []
    p, o = photos.c, originals.c
    query = (
        sa.select(p.id, p.attempts, p.first_failed_at, o.inbox_path_bytes, o.sha256)
        .join_from(originals, photos, p.id == o.photo_id)
        .where(
            p.state.in_((RETRY, RETRYING)),
            sa.or_(
                o.inbox_path_bytes.in_([file.path for file in wanted]), o.sha256.in_([file.sha256 for file in wanted])
            ),
        )
        .order_by(o.id.desc())
    )
    return list(connection.execute(query))


def undone_columns(place: bytes, identity: str, modified_at: str) -> dict[str, Any]:
    """Returns the columns of an undone photo whose original is at a place in the inbox."""
    return path_columns(place) | {"identity": identity, "modified_at": modified_at}


def _columns(original: NewOriginal, *, photo_id: int | None = None, companion_id: int | None = None) -> dict[str, Any]:
    return {
        "photo_id": photo_id,
        "companion_id": companion_id,
        "inbox_path": escape_name(original.path),
        "inbox_path_bytes": original.path,
        "sha256": original.sha256,
        "stamp": original.stamp,
    }
