"""Writes the results: one row per photo, one transaction per batch, always before the photos move."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from daemon.database import in_flight, judgements, original_rows, schema
from daemon.database.connection_guard import transaction
from daemon.database.in_flight import InFlight
from daemon.database.original_rows import NewOriginal
from daemon.database.rows import (
    FINAL_STATE,
    BatchRow,
    PhotoRow,
    PreviousRow,
    PriorRecord,
    RecordedBatch,
    path_columns,
    update_if_state,
)
from daemon.database.timestamps import format_time
from daemon.photo import FILING, MISSING, RETRY, UNDONE
from models.bundle import Bundle
from models.filenames import escape_name

# The statements of each batch are built once: building one takes SQLAlchemy longer than SQLite takes to run it.
_INSERT_BATCH = schema.batches.insert().returning(schema.batches.c.id)
_IN_FLIGHT = schema.photos.update().where(
    schema.photos.c.id.in_(sa.bindparam("photo_ids", expanding=True)),
    schema.photos.c.state == FILING,  # in a database that took the place of another, an id may be that of another photo
)
_FINISH = _IN_FLIGHT.values(state=FINAL_STATE, filed_at=sa.bindparam("now"))
_PHOTOS_OF_BATCH = sa.select(schema.photos.c.generation, schema.photos.c.inbox_path_bytes, schema.photos.c.id).where(
    schema.photos.c.batch_id == sa.bindparam("batch_id")
)
_FIND_BATCH = (
    sa.select(schema.batches.c.id)
    .join_from(schema.photos, schema.batches)
    .where(
        schema.photos.c.identity == sa.bindparam("identity"),  # with the state, the columns of an index
        schema.photos.c.state == FILING,
        schema.photos.c.generation == sa.bindparam("run_id"),
        # Not by the index on paths, which COALESCE hides: a phone may give all its photos one name.
        sa.func.coalesce(schema.photos.c.inbox_path_bytes, b"") == sa.bindparam("inbox_path"),
        schema.batches.c.started_at == sa.bindparam("started_at"),
    )
)


class Recorder:
    """Writes to the results database for one daemon.

    Attributes:
        model_id: Id of the model in use, 0 before `use_model`.
        candidate_id: Id of its candidate, 0 without one.
        model_name: Name of the model in use.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._bundle: Bundle | None = None
        self.model_id = 0
        self.candidate_id = 0
        self.model_name = ""

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()

    def use_model(self, bundle: Bundle) -> None:
        """Sets the model of all further rows, and its candidate; adds their rows when they are new."""
        with transaction(self._engine) as connection:
            model_id = add_model(connection, bundle)
            candidate_id = add_model(connection, bundle.candidate) if bundle.candidate else 0
        self._bundle = bundle
        self.model_id = model_id
        self.candidate_id = candidate_id
        self.model_name = bundle.model_name

    def move_to(self, engine: sa.Engine, rows: InFlight) -> None:
        """Prepares another database, which takes the place of this one: adds the model and the rows in flight."""
        if self._bundle is None:
            return
        with engine.begin() as connection:
            model_id = add_model(connection, self._bundle)
            self.candidate_id = add_model(connection, self._bundle.candidate) if self._bundle.candidate else 0
            in_flight.carry_over(connection, rows, model_id)
        self.model_id = model_id

    def begin(self, batch: BatchRow, rows: Sequence[PhotoRow], prior: Sequence[PriorRecord]) -> RecordedBatch:
        """Records a batch and its photos before they move.

        Safe to call again with the same arguments when the connection broke and nobody knows whether the transaction
        was committed: the batch is found by its start time and the run id and inbox path of its first photo.

        Args:
            batch: The row of the batch.
            rows: The rows of its photos, each with its destination.
            prior: For each photo its earlier records. A photo with a previous row keeps that row; a person's label for
                the same bytes is copied to the photo.

        Returns:
            The ids of the batch and of the photos.
        """
        with transaction(self._engine) as connection:
            if recorded := _find_batch(connection, batch, rows):
                return recorded
            batch_id = connection.execute(_INSERT_BATCH, vars(batch) | {"photos": len(rows)}).scalar_one()
            columns = [row.columns() | {"batch_id": batch_id, "model_id": self.model_id} for row in rows]
            _write_photos(connection, columns, [record.previous for record in prior])
            photo_ids = _photo_ids(connection, batch_id, rows)
            original_rows.write(
                connection,
                {
                    photo_id: NewOriginal(row.inbox_path, row.sha256, row.original)
                    for photo_id, row in zip(photo_ids, rows, strict=True)
                    if row.original is not None
                },
            )
            judged = {
                photo_id: row.candidate
                for photo_id, row in zip(photo_ids, rows, strict=True)
                if row.candidate is not None
            }
            judgements.write(connection, self.candidate_id, judged)
            reviews = [
                {"photo_id": photo_id, "label": record.review.label, "reviewed_at": record.review.reviewed_at}
                for photo_id, record in zip(photo_ids, prior, strict=True)
                if record.review and record.review.photo_id != photo_id
            ]
            if reviews:
                connection.execute(schema.reviews.insert(), reviews)
            return RecordedBatch(batch_id, photo_ids)

    def move(self, photo_id: int, path: bytes) -> None:
        """Records another destination path for a photo that has not moved yet."""
        with transaction(self._engine) as connection:
            connection.execute(_IN_FLIGHT.values(path_columns(path)), {"photo_ids": [photo_id]})

    def finish(self, photo_ids: list[int]) -> None:
        """Records that photos have arrived at the paths of their rows."""
        with transaction(self._engine) as connection:
            connection.execute(_FINISH, {"photo_ids": photo_ids, "now": format_time(datetime.now(UTC))})

    def postpone(self, photo_id: int, place: bytes) -> None:
        """Records that a photo goes back to its place in the inbox, to be sorted again."""
        with transaction(self._engine) as connection:
            update_if_state(connection, photo_id, (FILING,), state=RETRY, **path_columns(place))

    def missing(self, photo_id: int, path: bytes) -> None:
        """Records that somebody else removed a claimed photo before it arrived."""
        with transaction(self._engine) as connection:
            connection.execute(_IN_FLIGHT.values(state=MISSING), {"photo_ids": [photo_id]})
        self.event("missing", path, "the photo was taken away from the claim folder")

    def identify(self, identities: dict[int, str]) -> None:
        """Records the identities (device and inode) of photos, by the ids of their rows."""
        with transaction(self._engine) as connection:
            for photo_id, identity in identities.items():
                update = schema.photos.update().where(schema.photos.c.id == photo_id)
                connection.execute(update.values(identity=identity))

    def move_in_inbox(self, moves: dict[int, tuple[bytes, bytes]]) -> None:
        """Records that somebody renamed undone photos: their paths in the inbox and their places, by the ids of rows."""
        with transaction(self._engine) as connection:
            for photo_id, (path, place) in moves.items():
                columns = {"inbox_path_bytes": path, "inbox_path": escape_name(path)} | path_columns(place)
                update_if_state(connection, photo_id, (UNDONE,), **columns)

    def event(self, kind: str, path: bytes | None, message: str) -> None:
        """Records an event that a person should know about, such as a file that had to stay in the inbox."""
        row = {
            "at": format_time(datetime.now(UTC)),
            "kind": kind,
            "path": None if path is None else escape_name(path),
            "message": message,
        }
        with transaction(self._engine) as connection:
            connection.execute(schema.events.insert().values(row))


class ReadOnlyRecorder(Recorder):
    """The recorder of a dry run: it changes nothing."""

    def use_model(self, bundle: Bundle) -> None:
        """Looks up the model's id, 0 when it has no row."""
        query = sa.select(schema.models.c.id).where(schema.models.c.sha256 == bundle.sha256)
        with self._engine.connect() as connection:
            self.model_id = connection.execute(query).scalar() or 0

    def move_in_inbox(self, moves: dict[int, tuple[bytes, bytes]]) -> None:
        """Does nothing."""

    def event(self, kind: str, path: bytes | None, message: str) -> None:
        """Does nothing; the log has the event."""


def add_model(connection: sa.Connection, bundle: Bundle) -> int:
    """Returns the id of a model; adds its row when it is new."""
    models = schema.models
    model_id = connection.execute(sa.select(models.c.id).where(models.c.sha256 == bundle.sha256)).scalar()
    if model_id is None:
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
        model_id = connection.execute(models.insert().values(row).returning(models.c.id)).scalar_one()
    return int(model_id)


def _find_batch(connection: sa.Connection, batch: BatchRow, rows: Sequence[PhotoRow]) -> RecordedBatch | None:
    """Finds a batch that an earlier attempt committed before its connection broke."""
    if not rows:
        return None
    first = rows[0]
    key = {
        "identity": first.identity,
        "run_id": first.run_id,
        "inbox_path": first.inbox_path,
        "started_at": batch.started_at,
    }
    batch_id = connection.execute(_FIND_BATCH, key).scalar()
    if batch_id is None:
        return None
    return RecordedBatch(batch_id, _photo_ids(connection, batch_id, rows))


def _photo_ids(connection: sa.Connection, batch_id: int, rows: Sequence[PhotoRow]) -> list[int]:
    """Returns the ids of the photos of a batch, in their order. One claim folder has one photo of a path."""
    ids = {
        (run_id, path): photo_id
        for run_id, path, photo_id in connection.execute(_PHOTOS_OF_BATCH, {"batch_id": batch_id})
    }
    return [ids[row.run_id, row.inbox_path] for row in rows]


def _write_photos(connection: sa.Connection, rows: list[dict[str, Any]], previous: list[PreviousRow | None]) -> None:
    """Updates the rows of photos that are sorted again, inserts the others."""
    new_rows = [
        row
        for row, earlier in zip(rows, previous, strict=True)
        if earlier is None or not update_if_state(connection, earlier.id, earlier.states, **row)
    ]
    if new_rows:
        # Without RETURNING, which SQLite can only do for one row at a time if the order counts.
        connection.execute(schema.photos.insert(), new_rows)
