"""Moves photos between the folders of labels so that a killed process leaves nothing half done.

The row names the target before the photo moves, and the source in `generation`, so that recovery can complete the move.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import file_columns, located_columns
from daemon.actions.relocate import Relocator
from daemon.actions.restore import CannotMove
from daemon.actions.result import ActionResult
from daemon.database.rows import path_columns, update_if_state
from daemon.database.schema import photos
from daemon.database.timestamps import format_time
from daemon.destinations import recovery_plan
from daemon.inbox.claims import Claims
from daemon.photo import CORRECTING, FILED, MISSING
from daemon.queries.photo_rows import Photo
from daemon.queries.selection import PhotoSelection
from daemon.settings import FolderSettings
from models.filenames import escape_name, unescape_name


class Relocation(NamedTuple):
    """A move that the photo's row names.

    Attributes:
        photo: The photo, with the path where it is.
        target: The place that it moves to.
        revert_label: The statement that reverts the label that caused the move, if the photo cannot be moved.
    """

    photo: Photo
    target: bytes
    revert_label: sa.Insert | sa.Delete | None = None


class RelocationJournal:
    """Carries out relocations and records their end."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self.relocator = Relocator(root, folders, claims, engine)
        self._engine = engine
        self._root = root

    def begin(self, connection: sa.Connection, photo: Photo, target: bytes) -> bool:
        """Writes a located photo's target, or that it stays, to its row; False if its state is no longer filed."""
        if target == photo.path:
            return update_if_state(connection, photo.id, (FILED,), state=FILED, **located_columns(photo))
        columns = path_columns(target) | located_columns(photo) | {"generation": escape_name(photo.path)}
        return update_if_state(connection, photo.id, (FILED,), state=CORRECTING, **columns)

    def move_all(self, relocations: list[Relocation]) -> list[ActionResult]:
        """Moves photos without overwriting and records their places; a photo that cannot be moved stays as it was."""
        failed = []
        moved = []
        for relocation in relocations:
            try:
                moved.append(relocation._replace(target=self._move(relocation)))
                failpoints.failpoint("corrected")
            except OSError as error:
                failed.append(ActionResult(relocation.photo, problem=f"cannot be moved: {error.strerror}"))
                if relocation.revert_label is not None:
                    self._abort(relocation, relocation.revert_label)
        return failed + self._finish(moved)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        for relocation in self._unfinished():
            photo = relocation.photo
            try:
                has_arrived, is_at_source = self.relocator.find(photo, relocation.target)
            except CannotMove as problem:
                yield ActionResult(photo, problem=str(problem))
                continue
            step = recovery_plan.plan_action(CORRECTING, at_target=has_arrived, at_source=is_at_source)
            if step == "move":
                yield from self.move_all([relocation])
            elif step == MISSING:
                if self._update(photo, state=MISSING):
                    yield ActionResult(photo, problem="was taken away by somebody else while it was being moved")
            else:
                yield from self._complete(relocation, remove_source=step == "drop_and_finish")

    def _unfinished(self) -> list[Relocation]:
        """The relocations that rows name."""
        p = photos.c
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(p.id, p.generation).where(p.state == CORRECTING))
            sources = {photo_id: unescape_name(source) for photo_id, source in rows}
        moving = PhotoSelection(self._engine, self._root, (CORRECTING,)).all()
        return [
            Relocation(photo._replace(path=sources[photo.id]), target=photo.path)
            for photo in moving
            if photo.id in sources
        ]

    def _move(self, relocation: Relocation) -> bytes:
        photo = relocation.photo
        return self.relocator.move(
            photo,
            relocation.target,
            on_target=partial(self._record_target, photo),
            on_copied=partial(self._record_copy, photo),
        )

    def _record_target(self, photo: Photo, target: bytes) -> None:
        self._update(photo, **path_columns(target))

    def _record_copy(self, photo: Photo, stat: os.stat_result) -> None:
        self._update(photo, **file_columns(stat))

    def _finish(self, moved: list[Relocation]) -> list[ActionResult]:
        now = format_time(datetime.now(UTC))
        with self._engine.begin() as connection:
            for photo, target, _ in moved:
                columns = path_columns(target)
                update_if_state(connection, photo.id, (CORRECTING,), state=FILED, filed_at=now, **columns)
        return [ActionResult(photo, target) for photo, target, _ in moved]

    def _complete(self, relocation: Relocation, *, remove_source: bool) -> Iterator[ActionResult]:
        """Records a photo that is at its target; `remove_source`: removes the original of a copy first."""
        if remove_source:
            try:
                self.relocator.restorer.remove_source(relocation.photo)
            except OSError as error:
                problem = f"cannot be removed from its old place: {error.strerror}"
                yield ActionResult(relocation.photo, problem=problem)
                return
        yield from self._finish([relocation])

    def _abort(self, relocation: Relocation, revert_label: sa.Insert | sa.Delete) -> None:
        """Restores row and labels of a photo that could not be moved, unless a copy is at its target already."""
        photo = relocation.photo
        p = photos.c
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(p.path_bytes, p.identity).where(p.id == photo.id)).one()
        try:
            if self.relocator.is_at(row.path_bytes, row.identity):
                return
        except CannotMove:  # recovery finds out where the photo is
            return
        columns = path_columns(photo.path) | located_columns(photo)
        with self._engine.begin() as connection:
            if update_if_state(connection, photo.id, (CORRECTING,), state=FILED, **columns):
                connection.execute(revert_label)

    def _update(self, photo: Photo, **values: Any) -> bool:
        with self._engine.begin() as connection:
            return update_if_state(connection, photo.id, (CORRECTING,), **values)
