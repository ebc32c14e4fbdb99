"""Gives sorted photos what another model says of them, and moves those whose label changes, as one batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from daemon.actions.label_moves import LabelMoves
from daemon.actions.result import ActionResult
from daemon.actions.route import Statements
from daemon.database.schema import RECLASSIFY, batches, photos, reclassifications
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.queries.judgements import UNLABELLED
from daemon.queries.reclassification import PREDICTION, Reclassifiable
from models import Label

CHANGED_FILE = "was changed after it was sorted; `foodsort repair` records that, then it can be judged again"
MEANWHILE = "was labelled or sorted again meanwhile, so it stays"

# Built once: building one takes SQLAlchemy longer than SQLite takes to run it.
_COLUMNS = ("batch_id", "photo_id", "previous_batch_id", "previous_model_id", *PREDICTION)
# A killed call may have written the row, and the photo was sorted again since.
_KEEP = sa.text(
    f"""
    INSERT INTO reclassifications ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT (batch_id, photo_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])}
    """
)
_PREDICT = (
    photos.update()
    .where(photos.c.id == sa.bindparam("photo_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("batch_id", "model_id", *PREDICTION)})
)


class ReclassifyBatch:
    """The batch of all photos that one call of `reclassify` changes, with those of calls that were killed before it.

    A batch is open while its column `photos` is 0. It is written with its first photo, so an open one is never empty,
    and its photos tell its model. A call goes on with the newest open batch of its model. Other open batches get their
    number of photos: nobody will add to them.
    """

    def __init__(self, engine: sa.Engine, model_id: int, engine_name: str) -> None:
        """Looks for nothing yet.

        Args:
            engine: The database.
            model_id: The row of the model.
            engine_name: Name of the engine that ran it.
        """
        self._engine = engine
        self._model_id = model_id
        self._engine_name = engine_name
        self._id: int | None = None
        self._transaction: sa.RootTransaction | None = None
        """The one in which the batch was last found open; nobody else can change that before its end."""

    def resume(self) -> None:
        """Finds the batch of a call that was killed, and completes those of other models."""
        b = batches.c
        # A photo may have left the batch since; of an open batch without any photo, the model is unknown.
        of_model = sa.exists().where(photos.c.batch_id == b.id, photos.c.model_id == self._model_id)
        query = sa.select(b.id, of_model).where(b.kind == RECLASSIFY, b.photos == 0)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
            self._id = max((batch_id for batch_id, is_ours in rows if is_ours), default=None)
            for batch_id, _ in rows:
                if batch_id != self._id:
                    complete(connection, batch_id)

    def id_in(self, connection: sa.Connection) -> int:
        """Returns the id of the batch; creates it in the transaction of its first photo."""
        transaction = connection.get_transaction()
        if self._id is not None and transaction is self._transaction:
            return self._id
        b = batches.c
        # Locked until the end of the transaction, so that nobody takes the batch back at the same time.
        is_open = batches.update().where(b.id == self._id, b.photos == 0).values(photos=0)
        if self._id is None or not connection.execute(is_open).rowcount:
            row = {
                "started_at": format_time(datetime.now(UTC)),
                "photos": 0,
                "engine": self._engine_name,
                "inference_ms": 0.0,
                "kind": RECLASSIFY,
            }
            self._id = int(connection.execute(batches.insert().values(row).returning(b.id)).scalar_one())
        self._transaction = transaction
        return self._id

    def complete(self) -> int | None:
        """Completes the batch; returns its id, None if it has no photos."""
        if self._id is None:
            return None
        with self._engine.begin() as connection:
            return self._id if complete(connection, self._id) else None


def complete(connection: sa.Connection, batch_id: int) -> bool:
    """Writes the number of photos of an open batch, and removes one that has none; returns whether it has any."""
    b, r = batches.c, reclassifications.c
    number = connection.execute(sa.select(sa.func.count()).where(r.batch_id == batch_id)).scalar_one()
    is_open = sa.and_(b.id == batch_id, b.photos == 0, b.kind == RECLASSIFY)
    if number:
        connection.execute(batches.update().where(is_open).values(photos=number))
    else:
        is_named = sa.exists().where(photos.c.batch_id == b.id)
        is_earlier = sa.exists().where(r.previous_batch_id == b.id)
        connection.execute(batches.delete().where(is_open, ~is_named, ~is_earlier))
    return bool(number)


@dataclass(frozen=True)
class _Reclassification:
    """A photo gets what a model said of it."""

    row: Reclassifiable
    batch: ReclassifyBatch

    @property
    def folder(self) -> Label | None:
        """The model's label, if it is another one than before."""
        return self.row.judgement["predicted_label"] if self.row.changes_label else None

    @property
    def guard(self) -> "sa.ColumnElement[bool]":
        """No person has labelled the photo, and it has the bytes and the prediction that it had when it was chosen."""
        photo, previous = self.row.photo, self.row.previous
        same = [photos.c[name] == previous[name] for name in ("batch_id", "model_id")]
        return sa.and_(UNLABELLED, photos.c.sha256 == photo.sha256, *same)

    @property
    def refusal(self) -> str:
        """Why the photo stays if the guard does not hold."""
        return MEANWHILE

    def write(self, connection: sa.Connection) -> Statements:
        """Writes the prediction, and keeps the one before; returns the statements that revert both."""
        photo_id, previous = self.row.photo.id, self.row.previous
        batch_id = self.batch.id_in(connection)
        connection.execute(_KEEP, kept_row(batch_id, photo_id, previous))
        new = self.row.judgement | {"classified_at": format_time(datetime.now(UTC)), "batch_id": batch_id}
        connection.execute(_PREDICT, {"photo_id": photo_id} | {f"new_{name}": value for name, value in new.items()})
        if self.folder is None:  # a photo that does not move needs no way back
            return ()
        r = reclassifications.c
        kept = sa.and_(r.batch_id == batch_id, r.photo_id == photo_id)
        return photos.update().where(photos.c.id == photo_id).values(previous), reclassifications.delete().where(kept)


def kept_row(batch_id: int, photo_id: int, previous: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of `reclassifications` for the prediction that a photo had before a batch."""
    columns = {name: previous[name] for name in PREDICTION}
    columns |= {"previous_batch_id": previous["batch_id"], "previous_model_id": previous["model_id"]}
    return columns | {"batch_id": batch_id, "photo_id": photo_id}


class ReclassifyAction:
    """Applies judgements to sorted photos. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._moves = LabelMoves(destinations, engine, claims, changed_file=CHANGED_FILE)

    def apply(self, rows: Sequence[Reclassifiable], batch: ReclassifyBatch) -> Iterator[ActionResult]:
        """Gives photos their predictions and moves those with another label; a photo that cannot be moved stays as it is.

        Args:
            rows: The photos, with what their rows say.
            batch: The batch that they become part of.
        """
        changes = {row.photo.id: _Reclassification(row, batch) for row in rows}
        return self._moves.apply([row.photo for row in rows], lambda chunk: changes)
