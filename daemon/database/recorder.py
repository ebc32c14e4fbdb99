"""What the daemon writes down: one row a photo, one transaction a batch, always before the photo moves."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database import lookup, schema
from daemon.database.lookup import DuplicateRow, PhotoKey, PreviousRow, PriorRecord
from daemon.database.timestamps import format_time
from daemon.photo import (
    DUPLICATE,
    FAILED,
    FILED,
    FILING,
    MISSING,
    RETRY,
    RETRYING,
    UNDOING,
    UNDONE,
    Destination,
    Failure,
    State,
)
from models.bundle import Bundle
from models.filenames import escape_name


@dataclass(frozen=True)
class PendingRow:
    """A row whose photo was on its way to its place when the daemon ended."""

    id: int
    path: bytes
    inbox_path: bytes
    generation: bytes
    identity: str
    sha256: str
    fate: Destination
    failure: Failure | None
    attempts: int
    first_failed_at: str | None
    model: str


class InboxRow(NamedTuple):
    """A row whose photo lies in the inbox."""

    id: int
    inbox_path: bytes
    identity: str
    size_bytes: int
    modified_at: str


_INBOX_ROW = sa.select(
    *(schema.photos.c.id, schema.photos.c.inbox_path_bytes, schema.photos.c.identity),
    *(schema.photos.c.size_bytes, schema.photos.c.modified_at),
)


class Recorder:
    """The results database of one daemon."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._model_id = 0
        self.model_name = ""

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()

    def use_model(self, bundle: Bundle) -> None:
        """Names the model that the rows from now on come from, with a row of its own when it is new."""
        models = schema.models
        query = sa.select(models.c.id).where(models.c.sha256 == bundle.sha256)
        with self._engine.begin() as connection:
            found = connection.execute(query).scalar()
            if found is None:
                row = {
                    "sha256": bundle.sha256,
                    "name": bundle.model_name,
                    "card": bundle.card.model_dump_json(),
                    "first_used_at": format_time(datetime.now(UTC)),
                    "temperature": bundle.card.temperature,
                    "threshold": bundle.card.thresholds.food,
                    "unsure_low": bundle.card.thresholds.unsure_low,
                    "unsure_high": bundle.card.thresholds.unsure_high,
                }
                found = connection.execute(models.insert().values(row).returning(models.c.id)).scalar_one()
        self._model_id, self.model_name = found, bundle.model_name

    def known(self, batch: list[PhotoKey]) -> list[PriorRecord]:
        """What is known of each photo of a batch, to be asked before the network is."""
        with self._engine.connect() as connection:
            own = lookup.earlier(connection, batch)
            copies = lookup.copies(connection, {photo.sha256 for photo in batch})
        return [
            PriorRecord(
                before,
                lookup.judged(copies[photo.sha256], self._model_id),
                lookup.reviewed(copies[photo.sha256]),
            )
            for photo, before in zip(batch, own, strict=True)
        ]

    def copies(self, digests: set[str]) -> dict[str, list[DuplicateRow]]:
        """The newest rows of the same bytes by sha256, newest first."""
        with self._engine.connect() as connection:
            return lookup.copies(connection, digests)

    def begin(self, batch: dict[str, Any], rows: list[dict[str, Any]], of: list[PriorRecord]) -> tuple[int, list[int]]:
        """Records a batch and its photos, each with the place it is about to move to; returns its id and those of the rows.

        batch, rows: columns of the tables `batches` and `photos`; `path_bytes` and `inbox_path_bytes` give the texts.
        of: what is known of each photo; one that has a row keeps it, and a person's label becomes its own.
        To be called with the same words again when the database was lost meanwhile: what it has of them already stays as it is.
        """
        with self._engine.begin() as connection:
            if before := _begun(connection, batch, rows):
                return before
            insert = schema.batches.insert().returning(schema.batches.c.id)
            batch_id = connection.execute(insert.values(batch)).scalar_one()
            for row in rows:
                row |= place(row["path_bytes"])
                row |= {"inbox_path": escape_name(row["inbox_path_bytes"]), "state": FILING}
                row |= {"batch_id": batch_id, "model_id": self._model_id}
            ids = [
                _begin_again(connection, known.earlier, row) if known.earlier else None
                for known, row in zip(of, rows, strict=True)
            ]
            new = [row for photo_id, row in zip(ids, rows, strict=True) if photo_id is None]
            if new:
                insert = schema.photos.insert().returning(schema.photos.c.id, sort_by_parameter_order=True)
                added = connection.execute(insert, new).scalars()
                ids = [next(added) if photo_id is None else photo_id for photo_id in ids]
            filled = [photo_id for photo_id in ids if photo_id is not None]
            reviews = [
                {"photo_id": photo_id, "label": known.review.label, "reviewed_at": known.review.reviewed_at}
                for photo_id, known in zip(filled, of, strict=True)
                if known.review and known.review.photo_id != photo_id
            ]
            if reviews:
                connection.execute(schema.reviews.insert(), reviews)
            return batch_id, filled

    def move(self, photo_id: int, path: bytes) -> None:
        """Names another place for a photo that has not moved yet."""
        with self._engine.begin() as connection:
            connection.execute(schema.photos.update().where(schema.photos.c.id == photo_id).values(place(path)))

    def finish(self, photo_ids: list[int]) -> None:
        """Records that photos lie where their rows say."""
        photos = schema.photos
        state = sa.case(
            (photos.c.error_kind.is_not(None), FAILED), (photos.c.duplicate_of.is_not(None), DUPLICATE), else_=FILED
        )
        done = (
            photos.update()
            .where(photos.c.id.in_(photo_ids))
            .values(state=state, filed_at=format_time(datetime.now(UTC)))
        )
        with self._engine.begin() as connection:
            connection.execute(done)

    def missing(self, photo_id: int, path: bytes) -> None:
        """Records that a claimed photo was taken away by somebody else before it reached its place."""
        with self._engine.begin() as connection:
            gone = schema.photos.update().where(schema.photos.c.id == photo_id)
            connection.execute(gone.values(state=MISSING))
        self.event("missing", path, "the photo was taken away from the claim folder")

    def undone(self, identities: list[str]) -> list[InboxRow]:
        """The rows of photos among these (device and inode) that a person took back to the inbox."""
        p = schema.photos.c
        query = _INBOX_ROW.where(p.identity.in_(identities), p.state.in_((UNDOING, UNDONE)))
        with self._engine.connect() as connection:
            return [InboxRow(*row) for row in connection.execute(query)]

    def newest_probabilities(self, most: int) -> list[float]:
        """P(food) of those of the `most` newest photos that the model in use has judged, oldest first."""
        p = schema.photos.c
        query = sa.select(p.model_id, p.probability).order_by(p.id.desc()).limit(most)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            row.probability for row in reversed(rows) if row.model_id == self._model_id and row.probability is not None
        ]

    def in_inbox(self, after: int, most: int) -> list[InboxRow]:
        """The photos that have a row and lie in the inbox: the first `most` of those whose ids follow `after`."""
        p = schema.photos.c
        query = _INBOX_ROW.where(p.state.in_((UNDONE, RETRY)), p.id > after).order_by(p.id).limit(most)
        with self._engine.connect() as connection:
            return [InboxRow(*row) for row in connection.execute(query)]

    def identify(self, identities: dict[int, str]) -> None:
        """Records what photos are known by (device and inode), by the ids of their rows."""
        with self._engine.begin() as connection:
            for photo_id, identity in identities.items():
                known = schema.photos.update().where(schema.photos.c.id == photo_id)
                connection.execute(known.values(identity=identity))

    def pending(self) -> list[PendingRow]:
        """The rows whose photos were on their way when an earlier life of the daemon ended, oldest first."""
        p, r = schema.photos.c, schema.results.c
        query = (
            sa.select(
                *(p.id, p.path_bytes, p.inbox_path_bytes, p.generation, p.identity, p.sha256, p.duplicate_of),
                *(p.error_kind, p.error_message, p.attempts, p.first_failed_at, r.label, r.model),
            )
            .join_from(schema.photos, schema.results, p.id == r.id)
            .where(p.state == FILING)
            .order_by(p.id)
        )
        with self._engine.connect() as connection:
            return [_pending(row) for row in connection.execute(query)]

    def event(self, kind: str, path: bytes | None, message: str) -> None:
        """Records something that a person may want to know of, such as a file that had to stay in the inbox."""
        row = {"at": format_time(datetime.now(UTC)), "kind": kind, "path": None if path is None else escape_name(path)}
        with self._engine.begin() as connection:
            connection.execute(schema.events.insert().values(**row, message=message))


class ReadOnlyRecorder(Recorder):
    """The results database of a dry run: asked, and left as it is."""

    def use_model(self, bundle: Bundle) -> None:
        """Looks for the rows of this model."""
        query = sa.select(schema.models.c.id).where(schema.models.c.sha256 == bundle.sha256)
        with self._engine.connect() as connection:
            self._model_id = connection.execute(query).scalar() or 0

    def event(self, kind: str, path: bytes | None, message: str) -> None:
        """Nothing: the log says it."""


def _begun(
    connection: sa.Connection, batch: dict[str, Any], rows: list[dict[str, Any]]
) -> tuple[int, list[int]] | None:
    """What an earlier try recorded, if the connection broke after the commit and before it was known here."""
    batch_id = rows[0].get("batch_id") if rows else None
    if batch_id is None:
        return None
    b, p = schema.batches.c, schema.photos.c
    query = sa.select(p.generation, p.inbox_path_bytes, p.id).join_from(schema.photos, schema.batches)
    found = connection.execute(query.where(b.id == batch_id, b.started_at == batch["started_at"])).all()
    ids = {(generation, path): photo_id for generation, path, photo_id in found}
    return (batch_id, [ids[row["generation"], row["inbox_path_bytes"]] for row in rows]) if ids else None


def _begin_again(connection: sa.Connection, earlier: PreviousRow, row: dict[str, Any]) -> int | None:
    """Fills the row that a photo has; None when it is no longer one that waits for its photo."""
    return earlier.id if update(connection, earlier.id, (RETRY, RETRYING), **row) else None


def update(connection: sa.Connection, photo_id: int, states: tuple[State, ...], **values: Any) -> bool:
    """Changes a row if it is still in one of these states; whoever else handles it changes that first."""
    photos = schema.photos
    ours = sa.and_(photos.c.id == photo_id, photos.c.state.in_(states))
    return bool(connection.execute(photos.update().where(ours).values(values)).rowcount)


def _pending(row: Any) -> PendingRow:
    failure = Failure(row.error_kind, row.error_message or "") if row.error_kind else None
    fate: Destination = None if failure else "duplicate" if row.duplicate_of is not None else row.label
    place = (row.path_bytes, row.inbox_path_bytes, os.fsencode(row.generation))
    tries = (row.attempts, row.first_failed_at, row.model)
    return PendingRow(row.id, *place, row.identity, row.sha256, fate, failure, *tries)


def place(path: bytes) -> dict[str, Any]:
    """Columns that say where a photo lies, as rows name places."""
    return {"path_bytes": path, "path": escape_name(path), "name": escape_name(os.path.basename(path))}
