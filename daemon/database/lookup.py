"""What the database knows of photos before the network sees them: their own rows, the same bytes, a person's label."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos
from daemon.photo import DUPLICATE, FILED, FILING, RETRY, RETRYING
from models.decision import Label

_NEWEST = 64
"""Most rows of the same bytes that are looked at: a camera may send one black picture a million times."""


class PhotoKey(NamedTuple):
    """What a claimed photo is found by in the database.

    Attributes:
        identity: Device and inode.
        sha256: Digest of its bytes.
        path: Path in the inbox, relative to it.
        linked: Whether the file has several names (hard links), each a photo of its own.
    """

    identity: str
    sha256: str
    path: bytes
    linked: bool


class PreviousRow(NamedTuple):
    """The row of a photo that comes back by `retry`."""

    id: int
    attempts: int
    first_failed_at: str | None


class Review(NamedTuple):
    """A person's label for these bytes, given to the photo `photo_id`."""

    id: int
    photo_id: int
    label: Label
    reviewed_at: str


class DuplicateRow(NamedTuple):
    """A row of the same bytes; `original` is the row itself or, for a duplicate set aside, the one that it is a copy of."""

    sha256: str
    state: str
    model_id: int
    logit: float | None
    original: int
    original_state: str
    original_path: bytes
    review: Review | None


@dataclass(frozen=True)
class PriorRecord:
    """What is known of a photo. logit: what the model in use has said of the same bytes."""

    earlier: PreviousRow | None = None
    logit: float | None = None
    review: Review | None = None


def judged(copies: Iterable[DuplicateRow], model_id: int) -> float | None:
    """The logit that a model gave the same bytes, where a photo of them was filed."""
    said = (copy.logit for copy in copies if copy.model_id == model_id and copy.state in {FILED, FILING, DUPLICATE})
    return next((logit for logit in said if logit is not None), None)


def reviewed(copies: Iterable[DuplicateRow]) -> Review | None:
    """The newest label that a person gave to a photo of the same bytes."""
    return max((copy.review for copy in copies if copy.review), default=None)


def earlier(connection: sa.Connection, batch: list[PhotoKey]) -> list[PreviousRow | None]:
    """For each photo its row, where it has one because a person asked to have it sorted again; by device and inode."""
    p = photos.c
    query = sa.select(p.identity, p.sha256, p.inbox_path_bytes, p.id, p.attempts, p.first_failed_at).where(
        p.identity.in_([photo.identity for photo in batch]), p.state.in_((RETRY, RETRYING))
    )
    rows = connection.execute(query.order_by(p.id.desc())).all()
    return [next((PreviousRow(*row[3:]) for row in rows if _is_of(row, photo)), None) for photo in batch]


def _is_of(row: Any, photo: PhotoKey) -> bool:
    if row.identity != photo.identity:
        return False
    # An inode that was given to another file since is known by neither its bytes nor its place; of a file of several
    # names each is a photo of its own.
    same_bytes = row.sha256 == photo.sha256 and not photo.linked
    return same_bytes or bool(row.inbox_path_bytes == photo.path)


def copies(connection: sa.Connection, digests: set[str]) -> dict[str, list[DuplicateRow]]:
    """The newest rows of the same bytes by sha256, newest first."""
    found: dict[str, list[DuplicateRow]] = {digest: [] for digest in digests}
    asked = {f"sha256_{number}": digest for number, digest in enumerate(digests)}
    for row in connection.execute(_copies(len(asked)), asked):
        review = None if row[7] is None else Review(*row[7:])
        found[row[0]].append(DuplicateRow._make((*row[:7], review)))
    return found


@cache
def _copies(count: int) -> sa.TextClause:
    """As text, since SQLite and PostgreSQL agree on the name of a column of VALUES only when it is given none."""
    asked = ", ".join(f"(:sha256_{number})" for number in range(count))
    return sa.text(
        f"""
        SELECT
          p.sha256, p.state, p.model_id, p.logit, o.id, o.state, o.path_bytes,
          r.id, r.photo_id, r.label, r.reviewed_at
        FROM (VALUES {asked}) AS asked
        JOIN photos p ON p.sha256 = asked.column1 AND p.id >= COALESCE(
          (SELECT id FROM photos WHERE sha256 = asked.column1 ORDER BY id DESC LIMIT 1 OFFSET {_NEWEST - 1}), 0
        )
        JOIN photos o ON o.id = COALESCE(p.duplicate_of, p.id)
        LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
        ORDER BY p.id DESC
        """
    )
