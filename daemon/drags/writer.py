"""Writes moves by hand to the database: the row, the label, its event and the companions in one transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companions import CompanionFollower
from daemon.actions.facts import FileFacts, RowFacts, Step
from daemon.actions.labels import PersonLabel
from daemon.actions.repair_writer import RepairWriter
from daemon.database.schema import events, reviews
from daemon.database.timestamps import format_time
from daemon.drags.companions import CompanionChange
from models.filenames import escape_name

DRAGGED = "dragged"
"""Kind of the event of a label that a person gave by a move."""

SOURCE = "move"
"""In `reviews.source`, of such a label."""


class Drag(NamedTuple):
    """A photo that a person moved.

    Attributes:
        row: Its row, as it was.
        file: The photo.
        label: The label that the person gave by that; None if the row only follows.
    """

    row: RowFacts
    file: FileFacts
    label: PersonLabel | None


class DragWriter:
    """Changes rows. The caller holds the action lock."""

    def __init__(self, rows: RepairWriter, engine: sa.Engine, companions: CompanionFollower) -> None:
        self._rows = rows
        self._engine = engine
        self._companions = companions

    def write(self, drags: list[Drag], changes: Mapping[int, list[CompanionChange]]) -> list[Drag]:
        """Lets rows follow their photos, then companions.

        Args:
            drags: The photos.
            changes: The changes of their companions, by the ids of the photos' rows.

        Returns:
            Those whose row nobody else has changed meanwhile. A companion that cannot move stays where it is.
        """
        done = []
        with self._engine.begin() as connection:
            for drag in drags:
                if self._rows.write_one(connection, Step("move", drag.row, drag.file)):
                    done.append(drag)
                    for change in changes.get(drag.row.id, ()):
                        change.write(connection)
                    if drag.label is not None:
                        _write_label(connection, drag, drag.label)
            failpoints.failpoint("dragging")
        failpoints.failpoint("dragged")
        if followed := [drag.row.id for drag in done if drag.row.id in changes]:
            self._companions.follow(followed)
        return done

    def lose(self, rows: list[RowFacts]) -> list[RowFacts]:
        """Records that photos were removed; returns those whose row nobody else has changed meanwhile."""
        with self._engine.begin() as connection:
            return [row for row in rows if self._rows.write_one(connection, Step("lose", row))]


def _write_label(connection: sa.Connection, drag: Drag, label: PersonLabel) -> None:
    now = format_time(datetime.now(UTC))
    review = {"photo_id": drag.row.id, "label": label, "reviewed_at": now, "source": SOURCE}
    connection.execute(reviews.insert().values(review))
    place = escape_name(drag.file.place)
    message = (
        f"a person moved the photo from {escape_name(drag.row.place)}, which counts as the label {label}; if that was"
        f" a mistake, run `foodsort correct --withdraw PATH`"
    )
    connection.execute(events.insert().values({"at": now, "kind": DRAGGED, "path": place, "message": message}))
