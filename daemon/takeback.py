"""Photos that go back to the inbox place they came from: to stay there (undo), or to be sorted again (retry).

The row says where to before the photo moves, so that the daemon knows it when it comes, and a death in between can be mended.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon import faults, recovery, tree
from daemon.chosen import Chosen, Photo, again, elsewhere
from daemon.claim import Claims
from daemon.results import place as in_columns
from daemon.schema import modified_at, photos
from daemon.settings import Folders
from daemon.states import DUPLICATE, FAILED, FILED, MISSING, RETRY, RETRYING, UNDOING, UNDONE, State
from daemon.wayback import Stays, Wayback
from models.names import shown

_AT_ONCE = 64  # photos whose rows are written in one transaction
_BUSY = "is being handled by another call of foodsort"


class Way(NamedTuple):
    """The states of a photo on its way back: those it may come from, on the way, and there."""

    sources: tuple[State, ...]
    moving: State
    done: State


UNDO = Way((FILED, FAILED, DUPLICATE), UNDOING, UNDONE)
RETRY_FAILED = Way((FAILED,), RETRYING, RETRY)


class Back(NamedTuple):
    """What became of a photo: its place in the inbox as its row names it, or why it could not be taken there."""

    photo: Photo
    place: bytes = b""
    problem: str = ""


class Takeback:
    """Takes photos back. One at a time an inbox does so: see `lock.turn`."""

    def __init__(self, root: Path, folders: Folders, claims: Claims, engine: sa.Engine) -> None:
        self._way = Wayback(root, folders, claims)
        self._engine, self._root = engine, root

    def take(self, chosen: Iterable[Photo], way: Way) -> Iterator[Back]:
        """Moves photos to the inbox, never over anything, each under another number when its name is taken there."""
        for some in _chunks(chosen):
            begun, stay = self._begin(some, way)
            faults.point("taking_back")
            said = {back.photo.id: back for back in (*stay, *self._move_all(begun, way))}
            yield from (said[photo.id] for photo in some)

    def would_take(self, chosen: Iterable[Photo]) -> Iterator[Back]:
        """What `take` would do, as far as that can be said without doing it."""
        found, stay = self._look_up(list(chosen))
        yield from stay
        yield from (Back(photo, self._way.place(target)) for photo, _, target in found)

    def release(self, chosen: Iterable[Photo], *, dry_run: bool) -> Iterator[Back]:
        """Lets undone photos be sorted again; a daemon that runs hears of it at once."""
        for photo in chosen:
            stat = self._way.look(photo)
            if stat is None or not photo.looks_like(stat):
                yield Back(
                    photo, problem="is no longer there as it was put there; what was changed is sorted by itself"
                )
            elif not dry_run and not self._set(photo, (UNDONE,), state=RETRY, identity=tree.identity(stat)):
                yield Back(photo, problem=_BUSY)
            else:
                if not dry_run:
                    self._way.touch(photo)
                yield Back(photo, photo.path)

    def mend(self) -> Iterator[Back]:
        """Ends what a call that died had begun."""
        for photo in Chosen(self._engine, self._root, (UNDOING, RETRYING)).all():
            way = UNDO if photo.state == UNDOING else RETRY_FAILED
            try:
                arrived, there = self._whereabouts(photo)
            except Stays as stays:
                yield Back(photo, problem=str(stays))
                continue
            action = recovery.back(photo.state, arrived=arrived, there=there)
            if action == "move":
                yield from self._move_all([photo], way)
                continue
            if action == "drop_and_finish":
                try:
                    self._way.drop(photo)
                except OSError as error:
                    yield Back(photo, problem=f"cannot be removed from there: {error.strerror}")
                    continue
            if action in {"finish", "drop_and_finish"}:
                yield self._finish([photo], way)[0]
            elif self._set(photo, (way.moving,), state=action) and action == MISSING:
                yield Back(photo, problem="was taken away by somebody else while it was on its way back to the inbox")

    def _begin(self, some: list[Photo], way: Way) -> tuple[list[Photo], list[Back]]:
        """Records where photos are about to go, in one transaction; returns them and those that stay."""
        found, stay = self._look_up(some)
        begun = []
        with self._engine.begin() as connection:
            for photo, stat, target in found:
                if _update(connection, photo, (photo.state,), state=way.moving, **_going(target), **_facts(stat)):
                    begun.append(photo._replace(inbox_path=target, identity=tree.identity(stat)))
                else:
                    stay.append(Back(photo, problem=_BUSY))
        return begun, stay

    def _look_up(self, some: list[Photo]) -> tuple[list[tuple[Photo, os.stat_result, bytes]], list[Back]]:
        """Photos that are where their rows say, each with its place to go, and those that are not."""
        found, stay, taken = [], [], set[bytes]()
        for photo in some:
            try:
                stat = self._stat(photo)
            except Stays as stays:
                stay.append(Back(photo, problem=str(stays)))
                continue
            target = next(target for target in self._way.free(photo.inbox_path) if target not in taken)
            taken.add(target)
            found.append((photo, stat, target))
        return found, stay

    def _stat(self, photo: Photo) -> os.stat_result:
        stat = self._way.stat(photo)
        if not self._lies_there(photo, arrived=False):
            raise Stays("is no longer the photo that was put there")
        return stat

    def _lies_there(self, photo: Photo, *, arrived: bool) -> bool:
        try:
            stat = self._way.stat(photo)
        except Stays:
            return False
        same = tree.identity(stat) == photo.identity
        # An inode is soon given to another file. A failed photo may have been mended where it lies.
        if same and (photo.looks_like(stat) or photo.error_kind):
            return True
        # What only has the same bytes may be another photo, which came to the place when this one had left it.
        return self._way.has_its_bytes(photo, arrived=arrived) and (same or not elsewhere(self._engine, photo))

    def _whereabouts(self, photo: Photo) -> tuple[bool, bool]:
        """Whether a photo lies at the inbox place that its row names, and whether where it was taken from."""
        stat = self._way.look(photo)
        arrived = self._arrived(photo)
        there = self._lies_there(photo, arrived=arrived)
        # By size and time only when it can be no other: a device's number may change at a reboot.
        return arrived or (stat is not None and not there and photo.looks_like(stat)), there

    def _arrived(self, photo: Photo) -> bool:
        stat = self._way.look(photo)
        return stat is not None and tree.identity(stat) == photo.identity

    def _move_all(self, begun: list[Photo], way: Way) -> list[Back]:
        stay, moved = [], []
        for photo in begun:
            try:
                moved.append(photo._replace(inbox_path=self._move(photo, way)))
                faults.point("taken_back")
            except OSError as error:
                stay.append(Back(photo, problem=f"cannot be moved: {error.strerror}"))
                if photo.state in way.sources and not self._arrived(again(self._engine, photo)):
                    self._set(photo, (way.moving,), state=photo.state)
        return stay + self._finish(moved, way)

    def _move(self, photo: Photo, way: Way) -> bytes:
        def going(target: bytes) -> None:
            self._set(photo, (way.moving,), **_going(target))

        def whole(stat: os.stat_result) -> None:
            self._set(photo, (way.moving,), **_facts(stat))

        return self._way.move(photo, going, whole)

    def _finish(self, moved: list[Photo], way: Way) -> list[Back]:
        backs = [Back(photo, self._way.place(photo.inbox_path)) for photo in moved]
        with self._engine.begin() as connection:
            for photo, place, _ in backs:
                stat = self._way.look(photo)
                facts = _facts(stat) if stat is not None and photo.looks_like(stat) else {}
                _update(connection, photo, (way.moving,), state=way.done, **in_columns(place), **facts)
        return backs

    def _set(self, photo: Photo, states: tuple[State, ...], **values: Any) -> bool:
        with self._engine.begin() as connection:
            return _update(connection, photo, states, **values)


def _update(connection: sa.Connection, photo: Photo, states: tuple[State, ...], **values: Any) -> bool:
    """Changes a row if it is still in one of these states; whoever else handles it changes that first."""
    ours = sa.and_(photos.c.id == photo.id, photos.c.state.in_(states))
    return bool(connection.execute(photos.update().where(ours).values(values)).rowcount)


def _going(target: bytes) -> dict[str, Any]:
    return {"inbox_path_bytes": target, "inbox_path": shown(target)}


def _facts(stat: os.stat_result) -> dict[str, Any]:
    """Columns by which the daemon knows a photo that lies in its inbox."""
    return {"identity": tree.identity(stat), "size_bytes": stat.st_size, "modified_at": modified_at(stat.st_mtime_ns)}


def _chunks(chosen: Iterable[Photo]) -> Iterator[list[Photo]]:
    remaining = iter(chosen)
    while some := list(itertools.islice(remaining, _AT_ONCE)):
        yield some
