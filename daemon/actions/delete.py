"""Deletes failed photos: the file goes, its row stays."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companions import CompanionFollower
from daemon.actions.journal import Journal
from daemon.actions.locate import CannotMove, PhotoLocator
from daemon.actions.removal import Removal
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.actions.route import PlannedMove, Transition
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.photo import DELETED, DELETING, FAILED, State
from daemon.queries.photo_rows import Photo, in_chunks

_CHANGED = "is no longer as it was when it failed; `foodsort retry PATH` sorts it"
DELETE: Transition[State] = Transition((FAILED,), DELETING, DELETED, DELETED)


class DeleteAction:
    """Deletes failed photos. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._locator = PhotoLocator(destinations, engine)
        self._journal = Journal(destinations, engine, Removal(DELETE))
        self._companions = CompanionFollower(destinations, engine, claims)
        self._engine = engine

    def remove(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes failed photos and their error sidecars; never a file that is no longer the one that failed."""
        for chunk in in_chunks(photos):
            begun, refused = self._begin(chunk)
            failpoints.failpoint("begun")
            results = refused + self._journal.carry_out(begun)
            yield from in_order(chunk, results, self._companions.follow([move.photo.id for move in begun]))

    def recover(self) -> Iterator[ActionResult]:
        """Completes the deletions of a process that was killed; a file that is no longer that photo stays."""
        return self._journal.recover()

    def _begin(self, photos: list[Photo]) -> tuple[list[PlannedMove], list[ActionResult]]:
        """Records the deletions in one transaction; returns them, and the results of the other photos."""
        planned = []
        begun = []
        refused = []
        for photo in photos:
            try:
                # A person who repairs a photo in its place wants it sorted. And an inode is soon given to another file.
                located = self._locator.require_unchanged(photo, _CHANGED)
                planned.append(PlannedMove(located, None, original=photo))
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
        with self._engine.begin() as connection:
            for move in planned:
                if self._journal.begin(connection, move):
                    begun.append(move)
                else:
                    refused.append(ActionResult(move.photo, problem=BUSY))
        return begun, refused
