"""Takes back a batch of `foodsort reclassify`: the earlier predictions, and the folders of their labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from daemon.actions.label_moves import LabelChange, LabelMoves
from daemon.actions.reclassify import MEANWHILE, complete, kept_row
from daemon.actions.result import ActionResult
from daemon.actions.route import Statements
from daemon.database.schema import photos, reclassifications
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.photo import FILED
from daemon.queries.explanations import WHY_NOT_LABELLED
from daemon.queries.judgements import UNLABELLED
from daemon.queries.photo_rows import Photo
from daemon.queries.reclassification import Reclassified, reclassified
from models import Label

LABELLED = "was labelled by a person since, and keeps that label"
OTHER_BATCH = "was classified again since, by batch {}; it stays"


@dataclass(frozen=True)
class _Restoration:
    """A photo gets the prediction that it had before a batch."""

    row: Reclassified

    @property
    def folder(self) -> Label | None:
        """The earlier label, if it is another one."""
        label: Label | None = self.row.previous["predicted_label"]
        return None if label == self.row.current["predicted_label"] else label

    @property
    def guard(self) -> "sa.ColumnElement[bool]":
        """No person has labelled the photo, and its prediction is still that of the batch."""
        return sa.and_(UNLABELLED, photos.c.batch_id == self.row.current["batch_id"])

    @property
    def refusal(self) -> str:
        """Why the photo stays if the guard does not hold."""
        return MEANWHILE

    def write(self, connection: sa.Connection) -> Statements:
        """Restores the prediction; returns the statements that revert that."""
        photo_id, current = self.row.photo.id, self.row.current
        batch_id = current["batch_id"]
        r = reclassifications.c
        connection.execute(reclassifications.delete().where(r.batch_id == batch_id, r.photo_id == photo_id))
        of_photo = photos.update().where(photos.c.id == photo_id)
        connection.execute(of_photo.values(self.row.previous))
        kept = reclassifications.insert().values(kept_row(batch_id, photo_id, self.row.previous))
        return of_photo.values(current), kept


class ReclassifyUndo:
    """Takes back batches of `reclassify`. The caller holds the action lock.

    The row in `reclassifications` goes with the transaction that restores the prediction. So the rows that are left are
    those of the photos that were not taken back: a call that was killed is continued by the next one.
    """

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._moves = LabelMoves(destinations, engine, claims)
        self._engine = engine

    def take_back(self, batch_id: int) -> Iterator[ActionResult]:
        """Gives the photos of a batch their earlier predictions, and moves those with another label to its folder.

        Photos that a person has labelled since, or that were classified again, stay as they are.
        """
        with self._engine.begin() as connection:
            complete(connection, batch_id)  # of a call that was killed; the next one does not add to it
        rows = reclassified(self._engine, batch_id)
        return self._moves.apply([row.photo for row in rows], _Restorations(rows, batch_id))

    def preview(self, batch_id: int) -> Iterator[ActionResult]:
        """What `take_back` would do, as far as that can be known without doing it."""
        rows = reclassified(self._engine, batch_id)
        return self._moves.preview([row.photo for row in rows], _Restorations(rows, batch_id))


class _Restorations:
    """The restoration of each photo, or why it has none."""

    def __init__(self, rows: Iterable[Reclassified], batch_id: int) -> None:
        self._rows = {row.photo.id: row for row in rows}
        self._batch_id = batch_id

    def __call__(self, chunk: list[Photo]) -> Mapping[int, LabelChange | str]:
        return {photo.id: self._of(self._rows[photo.id]) for photo in chunk}

    def _of(self, row: Reclassified) -> LabelChange | str:
        if row.current["batch_id"] != self._batch_id:
            return OTHER_BATCH.format(row.current["batch_id"])
        if row.photo.state != FILED:
            return WHY_NOT_LABELLED[row.photo.state]
        return LABELLED if row.is_labelled else _Restoration(row)
