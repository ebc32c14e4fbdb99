"""Photos that go back to the inbox place they came from: to stay there (undo), or to be sorted again (retry).

The row says where to before the photo moves, so that the daemon knows it when it comes, and a death in between can be mended.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import PhotoLocator, facts
from daemon.actions.restore import CannotMove, InboxRestorer
from daemon.database.rows import path_columns, update_if_state
from daemon.destinations import recovery_plan
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import DUPLICATE, FAILED, FILED, MISSING, RETRY, RETRYING, UNDOING, UNDONE, State
from daemon.queries.selection import Photo, PhotoSelection, in_chunks, reload
from daemon.settings import FolderSettings
from models.filenames import escape_name

BUSY = "is being handled by another call of foodsort"
"""Why a photo stays whose row somebody else has changed meanwhile."""


class Transition(NamedTuple):
    """The states of a photo on its way back: those it may come from, on the way, and there."""

    sources: tuple[State, ...]
    moving: State
    done: State


UNDO = Transition((FILED, FAILED, DUPLICATE), UNDOING, UNDONE)
RETRY_FAILED = Transition((FAILED,), RETRYING, RETRY)


class ActionResult(NamedTuple):
    """What became of a photo: its place as its row names it now, or why it could not be taken there."""

    photo: Photo
    place: bytes = b""
    problem: str = ""


class UndoAction:
    """Takes photos back. One at a time an inbox does so: see `lock.turn`."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._way = InboxRestorer(root, folders, claims)
        self._whereabouts = PhotoLocator(self._way, engine)
        self._engine, self._root = engine, root

    def take(self, chosen: Iterable[Photo], way: Transition) -> Iterator[ActionResult]:
        """Moves photos to the inbox, never over anything, each under another number when its name is taken there."""
        for some in in_chunks(chosen):
            begun, stay = self._begin(some, way)
            failpoints.failpoint("taking_back")
            said = {back.photo.id: back for back in (*stay, *self._move_all(begun, way))}
            yield from (said[photo.id] for photo in some)

    def would_take(self, chosen: Iterable[Photo]) -> Iterator[ActionResult]:
        """What `take` would do, as far as that can be said without doing it."""
        found, stay = self._look_up(list(chosen))
        yield from stay
        yield from (ActionResult(photo, self._way.place(target)) for photo, _, target in found)

    def release(self, chosen: Iterable[Photo], *, dry_run: bool) -> Iterator[ActionResult]:
        """Lets undone photos be sorted again; a daemon that runs hears of it at once."""
        for photo in chosen:
            stat = self._way.look(photo)
            if stat is None or not photo.looks_like(stat):
                yield ActionResult(
                    photo, problem="is no longer there as it was put there; what was changed is sorted by itself"
                )
            elif not dry_run and not self._set(photo, (UNDONE,), state=RETRY, identity=dirfd.identity(stat)):
                yield ActionResult(photo, problem=BUSY)
            else:
                if not dry_run:
                    self._way.touch(photo)
                yield ActionResult(photo, photo.path)

    def mend(self) -> Iterator[ActionResult]:
        """Ends what a call that died had begun."""
        for photo in PhotoSelection(self._engine, self._root, (UNDOING, RETRYING)).all():
            way = UNDO if photo.state == UNDOING else RETRY_FAILED
            try:
                arrived, there = self._find(photo)
            except CannotMove as stays:
                yield ActionResult(photo, problem=str(stays))
                continue
            action = recovery_plan.back(photo.state, arrived=arrived, there=there)
            if action == "move":
                yield from self._move_all([photo], way)
                continue
            if action == "drop_and_finish":
                try:
                    self._way.drop(photo)
                except OSError as error:
                    yield ActionResult(photo, problem=f"cannot be removed from there: {error.strerror}")
                    continue
            if action in {"finish", "drop_and_finish"}:
                yield self._finish([photo], way)[0]
            elif self._set(photo, (way.moving,), state=action) and action == MISSING:
                yield ActionResult(
                    photo, problem="was taken away by somebody else while it was on its way back to the inbox"
                )

    def _begin(self, some: list[Photo], way: Transition) -> tuple[list[Photo], list[ActionResult]]:
        """Records where photos are about to go, in one transaction; returns them and those that stay."""
        found, stay = self._look_up(some)
        begun = []
        with self._engine.begin() as connection:
            for photo, stat, target in found:
                if update_if_state(
                    connection, photo.id, (photo.state,), state=way.moving, **_going(target), **facts(stat)
                ):
                    begun.append(photo._replace(inbox_path=target, identity=dirfd.identity(stat)))
                else:
                    stay.append(ActionResult(photo, problem=BUSY))
        return begun, stay

    def _look_up(self, some: list[Photo]) -> tuple[list[tuple[Photo, os.stat_result, bytes]], list[ActionResult]]:
        """Photos that are where their rows say, each with its place to go, and those that are not."""
        found, stay, taken = [], [], set[bytes]()
        for photo in some:
            try:
                stat = self._whereabouts.stat(photo)
            except CannotMove as stays:
                stay.append(ActionResult(photo, problem=str(stays)))
                continue
            target = next(target for target in self._way.free(photo.inbox_path) if target not in taken)
            taken.add(target)
            found.append((photo, stat, target))
        return found, stay

    def _find(self, photo: Photo) -> tuple[bool, bool]:
        """Whether a photo lies at the inbox place that its row names, and whether where it was taken from."""
        stat = self._way.look(photo)
        arrived = self._arrived(photo)
        there = self._whereabouts.lies_there(photo, arrived=arrived)
        # By size and time only when it can be no other: a device's number may change at a reboot.
        return arrived or (stat is not None and not there and photo.looks_like(stat)), there

    def _arrived(self, photo: Photo) -> bool:
        stat = self._way.look(photo)
        return stat is not None and dirfd.identity(stat) == photo.identity

    def _move_all(self, begun: list[Photo], way: Transition) -> list[ActionResult]:
        stay, moved = [], []
        for photo in begun:
            try:
                moved.append(photo._replace(inbox_path=self._move(photo, way)))
                failpoints.failpoint("taken_back")
            except OSError as error:
                stay.append(ActionResult(photo, problem=f"cannot be moved: {error.strerror}"))
                if photo.state in way.sources and not self._arrived(reload(self._engine, photo)):
                    self._set(photo, (way.moving,), state=photo.state)
        return stay + self._finish(moved, way)

    def _move(self, photo: Photo, way: Transition) -> bytes:
        def going(target: bytes) -> None:
            self._set(photo, (way.moving,), **_going(target))

        def whole(stat: os.stat_result) -> None:
            self._set(photo, (way.moving,), **facts(stat))

        return self._way.move(photo, going, whole)

    def _finish(self, moved: list[Photo], way: Transition) -> list[ActionResult]:
        backs = [ActionResult(photo, self._way.place(photo.inbox_path)) for photo in moved]
        with self._engine.begin() as connection:
            for photo, place, _ in backs:
                stat = self._way.look(photo)
                known = facts(stat) if stat is not None and photo.looks_like(stat) else {}
                update_if_state(connection, photo.id, (way.moving,), state=way.done, **path_columns(place), **known)
        return backs

    def _set(self, photo: Photo, states: tuple[State, ...], **values: Any) -> bool:
        with self._engine.begin() as connection:
            return update_if_state(connection, photo.id, states, **values)


def _going(target: bytes) -> dict[str, Any]:
    return {"inbox_path_bytes": target, "inbox_path": escape_name(target)}
