"""Moves photos back to where they were in the inbox: to stay there (undo), or to be sorted again (retry).

The row names the target before the photo moves. So the daemon recognises the photo when it arrives, and recovery can
complete the move if the process is killed in between.
"""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import PhotoLocator, file_columns, located_columns
from daemon.actions.restore import CannotMove, InboxRestorer
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.database.rows import path_columns, update_if_state
from daemon.destinations import recovery_plan
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import DUPLICATE, FAILED, FILED, MISSING, RETRY, RETRYING, UNDOING, UNDONE, State
from daemon.queries.photo_rows import Photo, in_chunks, reload
from daemon.queries.selection import PhotoSelection
from daemon.settings import FolderSettings
from models.filenames import escape_name

_TAKEN_AWAY = "was taken away by somebody else on its way back to the inbox"


class Transition(NamedTuple):
    """The states of a photo that moves back to the inbox: before, on the way and after."""

    sources: tuple[State, ...]
    moving: State
    done: State


UNDO = Transition((FILED, FAILED, DUPLICATE), UNDOING, UNDONE)
RETRY_FAILED = Transition((FAILED,), RETRYING, RETRY)


class _PlannedMove(NamedTuple):
    """A photo at its place, and its target in the inbox."""

    photo: Photo
    target: bytes


class UndoAction:
    """Moves photos back to the inbox. The caller holds the action lock."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._restorer = InboxRestorer(root, folders, claims)
        self._locator = PhotoLocator(self._restorer, engine)
        self._engine = engine
        self._root = root

    def move_to_inbox(self, photos: Iterable[Photo], transition: Transition) -> Iterator[ActionResult]:
        """Moves photos to the inbox and overwrites nothing; a photo whose name is taken there gets a number."""
        for chunk in in_chunks(photos):
            begun, refused = self._begin(chunk, transition)
            failpoints.failpoint("taking_back")
            yield from in_order(chunk, refused + self._move_all(begun, transition))

    def preview(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Previews `move_to_inbox`: the results that can be predicted without a change."""
        planned, refused = self._plan(list(photos))
        yield from refused
        for move in planned:
            yield ActionResult(move.photo, self._restorer.place_of(move.target))

    def release(self, photos: Iterable[Photo], *, dry_run: bool) -> Iterator[ActionResult]:
        """Allows undone photos to be sorted again; a running daemon notices at once."""
        for photo in photos:
            stat = self._restorer.stat_in_inbox(photo)
            if stat is None or not photo.looks_like(stat):
                problem = "is no longer there or was changed there; the daemon sorts a changed file by itself"
                yield ActionResult(photo, problem=problem)
            elif dry_run:
                yield ActionResult(photo, photo.path)
            elif self._update(photo, (UNDONE,), state=RETRY, identity=dirfd.identity(stat)):
                self._restorer.touch(photo)
                yield ActionResult(photo, photo.path)
            else:
                yield ActionResult(photo, problem=BUSY)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        for photo in PhotoSelection(self._engine, self._root, (UNDOING, RETRYING)).all():
            transition = UNDO if photo.state == UNDOING else RETRY_FAILED
            try:
                has_arrived, is_at_source = self._find(photo)
            except CannotMove as problem:
                yield ActionResult(photo, problem=str(problem))
                continue
            step = recovery_plan.plan_action(photo.state, at_target=has_arrived, at_source=is_at_source)
            if step == "move":
                yield from self._move_all([photo], transition)
                continue
            if step == "drop_and_finish":
                try:
                    self._restorer.remove_source(photo)
                except OSError as error:
                    yield ActionResult(photo, problem=f"cannot be removed from its old place: {error.strerror}")
                    continue
            if step in {"finish", "drop_and_finish"}:
                yield from self._finish([photo], transition)
            elif self._update(photo, (transition.moving,), state=step) and step == MISSING:
                yield ActionResult(photo, problem=_TAKEN_AWAY)

    def _begin(self, photos: list[Photo], transition: Transition) -> tuple[list[Photo], list[ActionResult]]:
        """Records the targets in one transaction; returns the photos to move, and the results of the others."""
        planned, refused = self._plan(photos)
        begun = []
        with self._engine.begin() as connection:
            for photo, target in planned:
                columns = _target_columns(target) | located_columns(photo)
                if update_if_state(connection, photo.id, (photo.state,), state=transition.moving, **columns):
                    begun.append(photo._replace(inbox_path=target))
                else:
                    refused.append(ActionResult(photo, problem=BUSY))
        return begun, refused

    def _plan(self, photos: list[Photo]) -> tuple[list[_PlannedMove], list[ActionResult]]:
        """Chooses a target for each photo that is where its row says; returns these, and the results of the others."""
        planned = []
        refused = []
        promised: set[bytes] = set()
        for photo in photos:
            try:
                located = self._locator.locate(photo)
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
                continue
            target = next(path for path in self._restorer.free_paths(photo.inbox_path) if path not in promised)
            promised.add(target)
            planned.append(_PlannedMove(located, target))
        return planned, refused

    def _find(self, photo: Photo) -> tuple[bool, bool]:
        """Whether a photo is at its target in the inbox, and whether it is at the place that it left."""
        stat = self._restorer.stat_in_inbox(photo)
        has_arrived = self._has_arrived(photo)
        is_at_source = self._locator.is_at_place(photo, has_arrived=has_arrived)
        # By size and time only if it can be no other file: a device's number may change at a reboot.
        return has_arrived or (stat is not None and not is_at_source and photo.looks_like(stat)), is_at_source

    def _has_arrived(self, photo: Photo) -> bool:
        stat = self._restorer.stat_in_inbox(photo)
        return stat is not None and dirfd.identity(stat) == photo.identity

    def _move_all(self, photos: list[Photo], transition: Transition) -> list[ActionResult]:
        failed = []
        moved = []
        for photo in photos:
            try:
                moved.append(photo._replace(inbox_path=self._move(photo, transition)))
                failpoints.failpoint("taken_back")
            except OSError as error:
                failed.append(ActionResult(photo, problem=f"cannot be moved: {error.strerror}"))
                if photo.state in transition.sources and not self._has_arrived(reload(self._engine, photo)):
                    self._update(photo, (transition.moving,), state=photo.state)
        return failed + self._finish(moved, transition)

    def _move(self, photo: Photo, transition: Transition) -> bytes:
        return self._restorer.move(
            photo,
            on_target=partial(self._record_target, photo, transition),
            on_copied=partial(self._record_copy, photo, transition),
        )

    def _record_target(self, photo: Photo, transition: Transition, target: bytes) -> None:
        self._update(photo, (transition.moving,), **_target_columns(target))

    def _record_copy(self, photo: Photo, transition: Transition, stat: os.stat_result) -> None:
        self._update(photo, (transition.moving,), **file_columns(stat))

    def _finish(self, photos: list[Photo], transition: Transition) -> list[ActionResult]:
        results = [ActionResult(photo, self._restorer.place_of(photo.inbox_path)) for photo in photos]
        with self._engine.begin() as connection:
            for photo, place, _ in results:
                columns = path_columns(place)
                stat = self._restorer.stat_in_inbox(photo)
                if stat is not None and photo.looks_like(stat):
                    columns |= file_columns(stat)
                update_if_state(connection, photo.id, (transition.moving,), state=transition.done, **columns)
        return results

    def _update(self, photo: Photo, states: tuple[State, ...], **values: Any) -> bool:
        with self._engine.begin() as connection:
            return update_if_state(connection, photo.id, states, **values)


def _target_columns(target: bytes) -> dict[str, Any]:
    return {"inbox_path_bytes": target, "inbox_path": escape_name(target)}
