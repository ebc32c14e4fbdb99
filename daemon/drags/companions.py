"""Companions of photos that a person moved: those that were moved along keep their rows, those left behind follow."""

import os
from collections.abc import Iterator
from typing import Literal, NamedTuple

import sqlalchemy as sa

from daemon.actions.facts import FileFacts
from daemon.actions.inventory import Inventory
from daemon.database.rows import path_columns
from daemon.database.schema import companions
from daemon.destinations.originals import OriginalMissing
from daemon.drags.plan import Move
from daemon.inbox.companions import placed_name
from daemon.photo import FILED, FOLLOWING, MISSING
from models.filenames import escape_name


class CompanionChange(NamedTuple):
    """A change of a companion's row.

    Attributes:
        row_id: The row.
        action: `adopt`: it was moved along. `follow`: it is where its row says, and follows its photo.
        photo: The photo's place before it moved.
        file: The companion.
    """

    row_id: int
    action: Literal["adopt", "follow"]
    photo: bytes
    file: FileFacts

    def write(self, connection: sa.Connection) -> None:
        """Writes the change in the transaction in which the photo's row follows the photo."""
        if self.action == "follow":
            columns = {"state": FOLLOWING, "generation": escape_name(self.photo)}
        else:
            facts = {"identity": self.file.identity, "modified_at": self.file.modified_at, "state": FILED}
            columns = path_columns(self.file.place) | facts
        c = companions.c
        mine = sa.and_(c.id == self.row_id, c.state.in_((FILED, MISSING)))
        connection.execute(companions.update().where(mine).values(columns))


class _Row(NamedTuple):
    id: int
    photo_id: int
    place: bytes
    identity: str
    sha256: str
    size_bytes: int


class CompanionFinder:
    """Finds the companions of moved photos."""

    def __init__(self, inventory: Inventory, engine: sa.Engine) -> None:
        self._inventory = inventory
        self._engine = engine

    def changes(self, moves: list[Move]) -> dict[int, list[CompanionChange]]:
        """Returns the changes of companions, by the ids of the photos' rows. Raises OSError."""
        by_photo = {move.row.id: move for move in moves if move.row.place != move.file.place}
        changes: dict[int, list[CompanionChange]] = {}
        for row in self._rows(list(by_photo)):
            for change in self._change(row, by_photo[row.photo_id]):
                changes.setdefault(row.photo_id, []).append(change)
        return changes

    def _rows(self, photo_ids: list[int]) -> list[_Row]:
        c = companions.c
        query = sa.select(c.id, c.photo_id, c.path_bytes, c.identity, c.sha256, c.size_bytes)
        mine = sa.and_(c.photo_id.in_(photo_ids), c.state.in_((FILED, MISSING)))
        with self._engine.connect() as connection:
            return [_Row._make(row) for row in connection.execute(query.where(mine).order_by(c.id))]

    def _change(self, row: _Row, move: Move) -> Iterator[CompanionChange]:
        before = move.row.place
        if file := self._inventory.at(row.place):
            yield CompanionChange(row.id, "follow", before, file)
            return
        name = os.path.basename(row.place)
        folder, photo = os.path.split(move.file.place)
        for beside in dict.fromkeys((placed_name(name, os.path.basename(before), photo), name)):
            file = self._inventory.at(os.path.join(folder, beside))
            if file is not None and self._is_companion(row, file):
                yield CompanionChange(row.id, "adopt", before, file)
                return

    def _is_companion(self, row: _Row, file: FileFacts) -> bool:
        if file.size_bytes != row.size_bytes:
            return False
        try:
            return file.identity == row.identity or self._inventory.digest(file) == row.sha256
        except OriginalMissing:
            return False
