"""Reads the rows that the daemon needs: earlier rows of the same photos and bytes, and rows of photos in the inbox."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import sqlalchemy as sa

from daemon.database import original_rows
from daemon.database.original_rows import NewOriginal
from daemon.database.rows import (
    DuplicateRow,
    InboxRow,
    KnownLogit,
    PendingRow,
    PhotoKey,
    PreviousRow,
    PriorRecord,
    Review,
)
from daemon.database.schema import photos, results
from daemon.photo import (
    DUPLICATE,
    FAILED,
    FILED,
    FILING,
    MISSING,
    OTHER,
    RETRY,
    RETRYING,
    UNDOING,
    UNDONE,
    Destination,
    Failure,
    State,
)

HasLeft = Callable[[bytes, str | None], bool]
SORTED: tuple[State, ...] = (FILED, FAILED, DUPLICATE, OTHER, MISSING)
"""States of photos that somebody may have moved back to the inbox by hand."""

_MOST_DUPLICATES = 64
"""Most rows of the same bytes that are read: a camera may send one black picture a million times."""

_INBOX_ROWS = sa.select(
    photos.c.id,
    photos.c.inbox_path_bytes,
    photos.c.identity,
    photos.c.size_bytes,
    photos.c.modified_at,
)
# Built once: building one takes SQLAlchemy longer than SQLite takes to run it.
_IDENTITIES = photos.c.identity.in_(sa.bindparam("identities", expanding=True))
_UNDONE_ROWS = _INBOX_ROWS.where(_IDENTITIES, photos.c.state.in_((UNDOING, UNDONE)))
_PREVIOUS_ROWS = (
    sa.select(
        photos.c.id,
        photos.c.state,
        photos.c.identity,
        photos.c.sha256,
        photos.c.modified_at,
        photos.c.path_bytes,
        photos.c.inbox_path_bytes,
        photos.c.attempts,
        photos.c.first_failed_at,
    )
    .where(_IDENTITIES, photos.c.state.in_((RETRY, RETRYING, *SORTED)))
    .order_by(photos.c.id.desc())
)


class Lookup:
    """Reads the results database for one daemon."""

    def __init__(self, engine: sa.Engine, has_left: HasLeft = lambda path, identity: False) -> None:
        """has_left: whether a photo may have left the place in its row, see `DestinationFolders.has_left`."""
        self._engine = engine
        self._has_left = has_left

    def prior_records(self, batch: list[PhotoKey], model_id: int) -> list[PriorRecord]:
        """Returns the earlier records of each photo of a batch.

        Args:
            batch: The keys of the photos.
            model_id: The model whose logits are used again.
        """
        with self._engine.connect() as connection:
            previous = _with_retried(connection, batch, previous_rows(connection, batch, self._has_left))
        same_bytes = self.duplicates({photo.sha256 for photo in batch})
        return [
            PriorRecord(
                previous=row or self._moved_here(photo, same_bytes[photo.sha256]),
                logit=cached_logit(same_bytes[photo.sha256], model_id),
                review=latest_review(same_bytes[photo.sha256]),
            )
            for photo, row in zip(batch, previous, strict=True)
        ]

    def duplicates(self, digests: set[str]) -> dict[str, list[DuplicateRow]]:
        """Returns the newest rows of the same bytes by SHA-256, newest first."""
        rows: dict[str, list[DuplicateRow]] = {digest: [] for digest in digests}
        parameters = {f"sha256_{number}": digest for number, digest in enumerate(digests)}
        with self._engine.connect() as connection:
            for row in connection.execute(_duplicates_query(len(parameters)), parameters):
                review = None if row.review_id is None else Review(*row[7:11])
                previous = PreviousRow(row.own_id, row.attempts, row.first_failed_at, (row[1],))
                logit = None if row.logit is None else KnownLogit(row.logit, row.look)
                rows[row[0]].append(
                    DuplicateRow._make((*row[:3], logit, *row[4:7], review, previous, row.own_path, row.modified_at))
                )
        return rows

    def _moved_here(self, photo: PhotoKey, rows: Iterable[DuplicateRow]) -> PreviousRow | None:
        """Returns the row of a photo that came back as another file: same bytes, name and time, and its place is empty."""
        for row in rows:
            same_file = (
                os.path.basename(row.path) == os.path.basename(photo.path) and row.modified_at == photo.modified_at
            )
            if same_file and row.state in SORTED and self._has_left(row.path, None):
                return row.previous
        return None

    def sorted_from(self, path: bytes, sha256: str) -> int | None:
        """Returns the id of the newest photo that was sorted from a path in the inbox with these bytes and still exists."""
        p = photos.c
        # Not by the index on paths, which COALESCE hides: a phone may give all its photos one name.
        same = sa.and_(p.sha256 == sha256, sa.func.coalesce(p.inbox_path_bytes, b"") == path)
        query = sa.select(p.id, p.state, p.path_bytes).where(same, p.state.in_((*SORTED, UNDONE)))
        with self._engine.connect() as connection:
            row = connection.execute(query.order_by(p.id.desc()).limit(1)).first()
        if row is None or (row.state != UNDONE and self._has_left(row.path_bytes, None)):
            return None
        return int(row.id)

    def pending(self) -> list[PendingRow]:
        """Returns the rows whose photos were on their way when an earlier run of the daemon ended, oldest first."""
        p, r = photos.c, results.c
        query = (
            sa.select(
                p.id,
                p.path_bytes,
                p.inbox_path_bytes,
                p.generation,
                p.identity,
                p.sha256,
                p.duplicate_of,
                p.error_kind,
                p.error_message,
                p.attempts,
                p.first_failed_at,
                r.label,
                r.model,
            )
            .join_from(photos, results, p.id == r.id)
            .where(p.state == FILING)
            .order_by(p.id)
        )
        with self._engine.connect() as connection:
            return [_pending_row(row) for row in connection.execute(query)]

    def undone(self, identities: list[str]) -> list[InboxRow]:
        """Returns the rows of photos with these identities (device and inode) that `undo` moved back to the inbox."""
        with self._engine.connect() as connection:
            return [InboxRow(*row) for row in connection.execute(_UNDONE_ROWS, {"identities": identities})]

    def in_inbox(self, after: int, limit: int) -> list[InboxRow]:
        """Returns a page of the rows whose photos are in the inbox: at most `limit` with ids above `after`, by id."""
        p = photos.c
        query = _INBOX_ROWS.where(p.state.in_((UNDONE, RETRY)), p.id > after).order_by(p.id).limit(limit)
        with self._engine.connect() as connection:
            return [InboxRow(*row) for row in connection.execute(query)]

    def recent_probabilities(self, model_id: int, limit: int) -> list[float]:
        """Returns P(food) of the photos among the `limit` newest that this model classified, oldest first."""
        p = photos.c
        query = sa.select(p.model_id, p.probability).order_by(p.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [row.probability for row in reversed(rows) if row.model_id == model_id and row.probability is not None]


def cached_logit(rows: Iterable[DuplicateRow], model_id: int) -> KnownLogit | None:
    """Returns the logit that a model gave the same bytes, if a photo of them was filed."""
    for row in rows:
        if row.model_id == model_id and row.logit is not None and row.state in {FILED, FILING, DUPLICATE}:
            return row.logit
    return None


def latest_review(rows: Iterable[DuplicateRow]) -> Review | None:
    """Returns the newest label that a person gave to a photo of the same bytes."""
    return max((row.review for row in rows if row.review), default=None)


def previous_rows(
    connection: sa.Connection, batch: list[PhotoKey], has_left: HasLeft = lambda path, identity: False
) -> list[PreviousRow | None]:
    """Returns the row that each photo has already, because of `retry` or because it was moved back by hand; else None."""
    rows = connection.execute(_PREVIOUS_ROWS, {"identities": [photo.identity for photo in batch]}).all()
    taken: set[int] = set()
    previous: list[PreviousRow | None] = []
    for photo in batch:
        own = [row for row in rows if row.id not in taken and _is_of(row, photo, has_left)]
        # Of a file with several names each has a row.
        row = min(own, key=lambda row: row.inbox_path_bytes != photo.path, default=None)
        if row is None:
            previous.append(None)
            continue
        taken.add(row.id)
        states: tuple[State, ...] = (row.state,) if row.state in SORTED else (RETRY, RETRYING)
        previous.append(PreviousRow(row.id, row.attempts, row.first_failed_at, states))
    return previous


def _with_retried(
    connection: sa.Connection, batch: list[PhotoKey], previous: list[PreviousRow | None]
) -> list[PreviousRow | None]:
    """Adds the rows of copied photos that are sorted again: by the path of the original, else by its bytes."""
    copied = [
        NewOriginal(photo.path, photo.sha256, "")
        for photo, row in zip(batch, previous, strict=True)
        if row is None and photo.copied
    ]
    rows = original_rows.retried(connection, copied)
    taken = {row.id for row in previous if row is not None}
    found = []
    for photo, row in zip(batch, previous, strict=True):
        if row is None and photo.copied:
            own = [other for other in rows if other.id not in taken and photo.sha256 == other.sha256]
            own += [other for other in rows if other.id not in taken and photo.path == other.inbox_path_bytes]
            best = min(own, key=lambda other: other.inbox_path_bytes != photo.path, default=None)
            if best is not None:
                taken.add(best.id)
                row = PreviousRow(best.id, best.attempts, best.first_failed_at)
        found.append(row)
    return found


def _is_of(row: Any, photo: PhotoKey, has_left: HasLeft) -> bool:
    """Whether a row is that of a claimed photo. The inode may have been given to another file since."""
    if row.identity != photo.identity:
        return False
    same_bytes = bool(row.sha256 == photo.sha256)
    if row.state in SORTED:
        same_file = same_bytes and row.modified_at == photo.modified_at
        return same_file and (row.state == MISSING or has_left(row.path_bytes, row.identity))
    # Of a file with several names each name is a photo of its own, so equal bytes do not suffice.
    return (same_bytes and not photo.linked) or bool(row.inbox_path_bytes == photo.path)


@cache
def _duplicates_query(count: int) -> sa.TextClause:
    # As text: SQLite and PostgreSQL agree on the name of a column of VALUES only when the query gives it none.
    values = ", ".join(f"(:sha256_{number})" for number in range(count))
    return sa.text(
        f"""
        SELECT
          p.sha256, p.state, p.model_id, p.logit, o.id, o.state, o.path_bytes,
          r.id AS review_id, r.photo_id, r.label, r.reviewed_at,
          p.id AS own_id, p.attempts, p.first_failed_at, p.path_bytes AS own_path, p.modified_at, p.look
        FROM (VALUES {values}) AS digests
        JOIN photos p ON p.sha256 = digests.column1 AND p.id >= COALESCE(
          (SELECT id FROM photos WHERE sha256 = digests.column1 ORDER BY id DESC LIMIT 1 OFFSET {_MOST_DUPLICATES - 1}),
          0
        )
        JOIN photos o ON o.id = COALESCE(p.duplicate_of, p.id)
        LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
        ORDER BY p.id DESC
        """
    )


def _pending_row(row: Any) -> PendingRow:
    failure = Failure(row.error_kind, row.error_message or "") if row.error_kind else None
    destination: Destination = (
        None if failure else "duplicate" if row.duplicate_of is not None else row.label or "other"
    )
    return PendingRow(
        id=row.id,
        path=row.path_bytes,
        inbox_path=row.inbox_path_bytes,
        run_id=os.fsencode(row.generation),
        identity=row.identity,
        sha256=row.sha256,
        destination=destination,
        failure=failure,
        attempts=row.attempts,
        first_failed_at=row.first_failed_at,
        model=row.model,
    )
