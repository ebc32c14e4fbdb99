"""What the daemon writes down: one row a photo, one transaction a batch, always before the photo moves."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from daemon import schema
from daemon.schema import text
from models.bundle import Bundle
from models.decision import Label
from models.names import shown

FILING = "filing"
FILED = "filed"
FAILED = "failed"
MISSING = "missing"


@dataclass(frozen=True)
class Pending:
    """A row whose photo was on its way to its place when the daemon ended."""

    id: int
    path: bytes
    inbox_path: bytes
    generation: bytes
    identity: str
    sha256: str
    label: Label | None
    error_kind: str | None
    error_message: str | None


class Results:
    """The results database of one daemon."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._model_id = 0

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()

    def use_model(self, bundle: Bundle) -> None:
        """Names the model that the rows from now on come from, with a row of its own when it is new."""
        models = schema.models
        known = sa.select(models.c.id).where(models.c.sha256 == bundle.sha256)
        with self._engine.begin() as connection:
            found = connection.execute(known).scalar()
            if found is None:
                row = {
                    "sha256": bundle.sha256,
                    "name": bundle.model_name,
                    "card": bundle.card.model_dump_json(),
                    "first_used_at": text(datetime.now(UTC)),
                }
                found = connection.execute(models.insert().values(row).returning(models.c.id)).scalar_one()
        self._model_id = found

    def begin(self, batch: dict[str, Any], rows: list[dict[str, Any]]) -> list[int]:
        """Records a batch and its photos, each with the place it is about to move to; returns the ids of the rows.

        batch, rows: columns of the tables `batches` and `photos`; `path_bytes` and `inbox_path_bytes` give the texts.
        """
        with self._engine.begin() as connection:
            insert = schema.batches.insert().returning(schema.batches.c.id)
            batch_id = connection.execute(insert.values(batch)).scalar_one()
            for row in rows:
                row |= _place(row["path_bytes"])
                row |= {"inbox_path": shown(row["inbox_path_bytes"]), "state": FILING}
                row |= {"batch_id": batch_id, "model_id": self._model_id}
            added = connection.execute(
                schema.photos.insert().returning(schema.photos.c.id, sort_by_parameter_order=True), rows
            )
            return list(added.scalars())

    def move(self, photo_id: int, path: bytes) -> None:
        """Names another place for a photo that has not moved yet."""
        with self._engine.begin() as connection:
            connection.execute(schema.photos.update().where(schema.photos.c.id == photo_id).values(_place(path)))

    def finish(self, photo_ids: list[int]) -> None:
        """Records that photos lie where their rows say."""
        photos = schema.photos
        state = sa.case((photos.c.error_kind.is_(None), FILED), else_=FAILED)
        done = photos.update().where(photos.c.id.in_(photo_ids)).values(state=state, filed_at=text(datetime.now(UTC)))
        with self._engine.begin() as connection:
            connection.execute(done)

    def missing(self, photo_id: int, path: bytes) -> None:
        """Records that a claimed photo was taken away by somebody else before it reached its place."""
        with self._engine.begin() as connection:
            gone = schema.photos.update().where(schema.photos.c.id == photo_id)
            connection.execute(gone.values(state=MISSING))
        self.event("missing", path, "the photo was taken away from the claim folder")

    def pending(self) -> list[Pending]:
        """The rows whose photos were on their way when an earlier life of the daemon ended, oldest first."""
        p = schema.photos.c
        query = sa.select(
            *(p.id, p.path_bytes, p.inbox_path_bytes, p.generation, p.identity, p.sha256),
            *(p.predicted_label, p.error_kind, p.error_message),
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(p.state == FILING).order_by(p.id)).all()
        return [Pending(row[0], row[1], row[2], os.fsencode(row[3]), *row[4:]) for row in rows]

    def event(self, kind: str, path: bytes | None, message: str) -> None:
        """Records something that a person may want to know of, such as a file that had to stay in the inbox."""
        row = {"at": text(datetime.now(UTC)), "kind": kind, "path": None if path is None else shown(path)}
        with self._engine.begin() as connection:
            connection.execute(schema.events.insert().values(**row, message=message))


def _place(path: bytes) -> dict[str, Any]:
    return {"path_bytes": path, "path": shown(path), "name": shown(os.path.basename(path))}
