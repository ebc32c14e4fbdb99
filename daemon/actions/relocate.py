"""Photos on their way from the folder of one label to that of another, and what a death left of it.

The photo's row says where to before it moves, and in `generation` where from, so that a death in between can be mended.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import facts
from daemon.actions.refile import Refiler
from daemon.actions.restore import CannotMove
from daemon.actions.undo import ActionResult
from daemon.database import schema
from daemon.database.rows import path_columns, update_if_state
from daemon.database.timestamps import format_time
from daemon.destinations import recovery_plan
from daemon.inbox.claims import Claims
from daemon.photo import CORRECTING, FILED, MISSING
from daemon.queries.selection import Photo, PhotoSelection
from daemon.settings import FolderSettings
from models.filenames import escape_name, unescape_name


class Step(NamedTuple):
    """A photo, with its path where it lies, and where it goes.

    amends: statement that takes back what was written of its label just now, for when it cannot be moved.
    """

    photo: Photo
    target: bytes
    amends: sa.Insert | sa.Delete | None = None


class Relocator:
    """Moves photos whose rows are written already."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self.way = Refiler(root, folders, claims, engine)
        self._engine, self._root = engine, root

    def move_all(self, steps: list[Step]) -> list[ActionResult]:
        """Moves photos, never over anything, and says that they are there; those that cannot be moved are left as they were."""
        stay, moved = [], []
        for step in steps:
            try:
                moved.append(step._replace(target=self._move(step)))
                failpoints.failpoint("corrected")
            except OSError as error:
                stay.append(ActionResult(step.photo, problem=f"cannot be moved: {error.strerror}"))
                if step.amends is not None:
                    self._leave(step, step.amends)
        return stay + self._finish(moved)

    def mend(self) -> Iterator[ActionResult]:
        """Ends what a call that died had begun."""
        for step in self._begun():
            photo = step.photo
            try:
                arrived, there = self.way.find(photo, step.target)
            except CannotMove as stays:
                yield ActionResult(photo, problem=str(stays))
                continue
            action = recovery_plan.back(CORRECTING, arrived=arrived, there=there)
            if action == "move":
                yield from self.move_all([step])
            elif action == MISSING:
                if self._set(photo, state=MISSING):
                    yield ActionResult(photo, problem="was taken away by somebody else while it was being moved")
            else:
                yield from self._finish_alone(step, drop=action == "drop_and_finish")

    def _begun(self) -> list[Step]:
        """What rows say is on its way."""
        p = schema.photos.c
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(p.id, p.generation).where(p.state == CORRECTING))
            sources = {photo_id: unescape_name(source) for photo_id, source in rows}
        going = PhotoSelection(self._engine, self._root, (CORRECTING,)).all()
        return [Step(photo._replace(path=sources[photo.id]), photo.path) for photo in going if photo.id in sources]

    def _move(self, step: Step) -> bytes:
        def going(target: bytes) -> None:
            self._set(step.photo, **path_columns(target))

        def whole(stat: os.stat_result) -> None:
            self._set(step.photo, **facts(stat))

        return self.way.move(step.photo, step.target, going, whole)

    def _finish(self, moved: list[Step]) -> list[ActionResult]:
        now = format_time(datetime.now(UTC))
        with self._engine.begin() as connection:
            for photo, target, _ in moved:
                update_if_state(connection, photo.id, (CORRECTING,), state=FILED, filed_at=now, **path_columns(target))
        return [ActionResult(photo, target) for photo, target, _ in moved]

    def _finish_alone(self, step: Step, *, drop: bool) -> Iterator[ActionResult]:
        """Says that a photo lies at its place. drop: what is left of it where it came from is removed."""
        if drop:
            try:
                self.way.drop(step.photo)
            except OSError as error:
                yield ActionResult(step.photo, problem=f"cannot be removed from there: {error.strerror}")
                return
        yield from self._finish([step])

    def _leave(self, step: Step, amends: sa.Insert | sa.Delete) -> None:
        """Leaves a photo that could not be moved as it was, label and all; not one of which a copy is there already."""
        photo = step.photo
        p = schema.photos.c
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(p.path_bytes, p.identity).where(p.id == photo.id)).one()
        try:
            if self.way.has_arrived(photo._replace(identity=row.identity), row.path_bytes):
                return
        except CannotMove:  # what became of it, the next call finds out
            return
        before = {"identity": photo.identity, "size_bytes": photo.size_bytes, "modified_at": photo.modified_at}
        with self._engine.begin() as connection:
            if update_if_state(connection, photo.id, (CORRECTING,), state=FILED, **path_columns(photo.path), **before):
                connection.execute(amends)

    def _set(self, photo: Photo, **values: Any) -> bool:
        with self._engine.begin() as connection:
            return update_if_state(connection, photo.id, (CORRECTING,), **values)


def begin(connection: sa.Connection, photo: Photo, stat: os.stat_result, target: bytes) -> bool:
    """Writes where a photo is about to go, or that it stays; False when its row is no longer one of a filed photo."""
    if target == photo.path:
        return update_if_state(connection, photo.id, (FILED,), state=FILED)
    going = {"generation": escape_name(photo.path), **path_columns(target), **facts(stat)}
    return update_if_state(connection, photo.id, (FILED,), state=CORRECTING, **going)
