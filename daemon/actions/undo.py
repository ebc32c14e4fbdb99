"""Moves photos back to where they were in the inbox: to stay there (undo), or to be sorted again (retry).

The row names the target before the photo moves. So the daemon recognises the photo when it arrives. A copy does not move:
it is removed, since its original is in the inbox.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companions import CompanionFollower
from daemon.actions.journal import Journal
from daemon.actions.locate import CannotMove, PhotoLocator
from daemon.actions.originals import CHANGED_COPY, OriginalFinder
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.actions.route import PlannedMove, Transition
from daemon.database.rows import path_columns, update_if_state
from daemon.database.schema import originals
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import DUPLICATE, FAILED, FILED, MISSING, OTHER, RETRY, RETRYING, UNDOING, UNDONE, State
from daemon.queries.photo_rows import Photo, in_chunks
from models.filenames import escape_name

UNDO: Transition[State] = Transition((FILED, FAILED, DUPLICATE, OTHER), UNDOING, UNDONE, MISSING)
RETRY_FAILED: Transition[State] = Transition((FAILED,), RETRYING, RETRY, RETRY)
"""A photo to be sorted again may be in flight already: then it is in no place, and its row belongs to the daemon."""


_COPY = "copy"
"""In the column `generation` while a copy is being removed; every other row has a run id or a path there."""


@dataclass(frozen=True)
class InboxRoute:
    """The way into the inbox: the row keeps the place, and names the target as the path in the inbox.

    A copy has no target.
    """

    transition: Transition[State]
    destinations: DestinationFolders
    claims: Claims
    originals: OriginalFinder

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns the columns for the path in the inbox."""
        if target is None:
            return {"generation": _COPY}
        path = self.destinations.path_in_inbox(target)
        return {"inbox_path_bytes": path, "inbox_path": escape_name(path)} | self._identity(path)

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns for the new place."""
        if move.target is None:
            return self.originals.columns(move.photo)
        return path_columns(move.target) | self._identity(self.destinations.path_in_inbox(move.target))

    def places(self, move: PlannedMove) -> Iterator[bytes]:
        """Returns the target, then numbered names beside it."""
        target = move.target or b""
        return itertools.chain([target], self.destinations.free_places(target))

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the move that a row names; a copy whose original is gone meanwhile moves like any other photo."""
        if generation == _COPY and self.originals.find(photo) is not None:
            return PlannedMove(photo, None)
        return PlannedMove(photo, self.destinations.place_in_inbox(photo.inbox_path))

    def _identity(self, path: bytes) -> dict[str, str]:
        """The column by which the daemon recognises the photo in the inbox, where that is not its inode."""
        identity = self.claims.path_identity(path)
        return {"identity": identity} if identity else {}


class UndoAction:
    """Moves photos back to the inbox. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, claims: Claims, engine: sa.Engine) -> None:
        self._destinations = destinations
        self._claims = claims
        self._locator = PhotoLocator(destinations, engine)
        self._engine = engine
        self._companions = CompanionFollower(destinations, engine, claims)
        self._originals = OriginalFinder(destinations, claims, engine, originals.c.photo_id)
        self._journals = {
            transition: Journal(destinations, engine, InboxRoute(transition, destinations, claims, self._originals))
            for transition in (UNDO, RETRY_FAILED)
        }

    def move_to_inbox(self, photos: Iterable[Photo], transition: Transition[State]) -> Iterator[ActionResult]:
        """Moves photos to the inbox and overwrites nothing; a photo whose name is taken there gets a number."""
        journal = self._journals[transition]
        for chunk in in_chunks(photos):
            planned, refused = self._plan(chunk)
            begun = []
            with self._engine.begin() as connection:
                for move in planned:
                    if journal.begin(connection, move):
                        begun.append(move)
                    else:
                        refused.append(ActionResult(move.photo, problem=BUSY))
            failpoints.failpoint("begun")
            results = refused + journal.carry_out(begun)
            if transition.done == RETRY:
                for move in begun:
                    if move.target is None:
                        self._touch(move.photo)
            yield from in_order(chunk, results, self._companions.follow([move.photo.id for move in begun]))

    def preview(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """What `move_to_inbox` would do, as far as that can be known without doing it."""
        planned, refused = self._plan(list(photos))
        yield from refused
        for move in planned:
            yield ActionResult(move.photo, move.target or self._destinations.place_in_inbox(move.photo.inbox_path))

    def release(self, photos: Iterable[Photo], *, dry_run: bool) -> Iterator[ActionResult]:
        """Allows undone photos to be sorted again; a running daemon notices at once."""
        for photo in photos:
            stat = self._claims.stat(photo.inbox_path)
            if stat is None or not (photo.looks_like(stat) or self._originals.find(photo)):
                problem = (
                    "is no longer there or was changed there; the daemon sorts a changed file by itself, and finds "
                    "one that was renamed in the inbox at its next scan"
                )
                yield ActionResult(photo, problem=problem)
            elif dry_run:
                yield ActionResult(photo, photo.path)
            elif self._release(photo, stat):
                self._touch(photo)
                yield ActionResult(photo, photo.path)
            else:
                yield ActionResult(photo, problem=BUSY)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        for journal in self._journals.values():
            yield from journal.recover()

    def _plan(self, photos: list[Photo]) -> tuple[list[PlannedMove], list[ActionResult]]:
        """Chooses a target for each photo that is where its row says; returns these, and the results of the others."""
        planned = []
        refused = []
        promised: set[bytes] = set()
        copied = self._originals.copied(photo.id for photo in photos)
        for photo in photos:
            try:
                if photo.id in copied:
                    planned.append(self._plan_removal(photo))
                    continue
                located = self._locator.locate(photo)
                target = self._choose_target(photo, promised)
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
                continue
            planned.append(PlannedMove(located, target, original=photo))
        return planned, refused

    def _plan_removal(self, copied: Photo) -> PlannedMove:
        """The removal of a copy; never of the last file of its bytes. Raises CannotMove."""
        located = self._locator.require_unchanged(copied, CHANGED_COPY)
        self._originals.require(located)
        return PlannedMove(located, None, original=copied)

    def _choose_target(self, photo: Photo, promised: set[bytes]) -> bytes:
        """The first free place in the inbox, which is added to `promised`. Raises CannotMove."""
        place = self._destinations.place_in_inbox(photo.inbox_path)
        try:
            free = next(self._destinations.free_places(place, promised, with_companions=True))
        except OSError as error:
            raise CannotMove(f"cannot be moved: {error.strerror}") from error
        promised.add(free)
        return free

    def _release(self, photo: Photo, stat: os.stat_result) -> bool:
        identity = self._claims.stamp_of(photo.inbox_path, stat).identity
        with self._engine.begin() as connection:
            return update_if_state(connection, photo.id, (UNDONE,), state=RETRY, identity=identity)

    def _touch(self, photo: Photo) -> None:
        """Opens a photo in the inbox for writing and closes it: the daemon gets an event, and nothing changes."""
        parent, name = dirfd.split(photo.inbox_path)
        try:
            with dirfd.open_folder(self._claims.inbox_fd, parent) as folder:
                flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(name, flags, dir_fd=folder))
        except OSError:  # then a rescan finds it
            return
