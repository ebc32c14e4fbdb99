"""Companions follow the photos that actions move: to the inbox, to another folder, or out of existence.

The transaction that begins a photo's move marks its companions. They move after the photo, by the same journal, to the
place where its row says that it is then. So a killed action is completed from the rows alone.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from daemon.actions.journal import Journal
from daemon.actions.locate import CannotMove, PhotoLocator, SourceChanged
from daemon.actions.originals import CHANGED_COPY, OnlyCopy, OriginalFinder
from daemon.actions.removal import Removal
from daemon.actions.result import ActionResult
from daemon.actions.route import PlannedMove, Transition
from daemon.database.rows import path_columns, update_if_state
from daemon.database.schema import companions, originals, photos
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.inbox.companions import placed_name
from daemon.photo import (
    COMPANION_MOVING,
    DELETED,
    DELETING,
    FILED,
    FOLLOWING,
    MISSING,
    MOVING,
    RETURNING,
    CompanionState,
)
from daemon.queries.photo_rows import Photo, columns_of
from models.filenames import escape_name, unescape_name

FOLLOW: Transition[CompanionState] = Transition((FOLLOWING,), COMPANION_MOVING, FILED, MISSING)
RETURN: Transition[CompanionState] = Transition((FOLLOWING,), RETURNING, FILED, FILED)
REMOVE: Transition[CompanionState] = Transition((FOLLOWING,), DELETING, DELETED, DELETED)


@dataclass(frozen=True)
class CompanionRoute:
    """The way to the place of the photo: the row names the target as its path, and the source in `generation`."""

    destinations: DestinationFolders
    transition: Transition[CompanionState] = FOLLOW

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns the columns for both places."""
        return path_columns(target or b"") | {"generation": escape_name(move.photo.path)}

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns for the new place."""
        target = move.target or b""
        columns = path_columns(target) | {"filed_at": format_time(datetime.now(UTC))}
        if self.destinations.is_in_inbox(target):
            path = self.destinations.path_in_inbox(target)
            columns |= {"inbox_path_bytes": path, "inbox_path": escape_name(path)}
        return columns

    def places(self, move: PlannedMove) -> Iterator[bytes]:
        """Returns the target, then numbered names beside it."""
        target = move.target or b""
        return itertools.chain([target], self.destinations.free_places(target))

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the move that a row names."""
        return PlannedMove(photo._replace(path=unescape_name(generation)), photo.path)


@dataclass(frozen=True)
class OriginalRoute:
    """The way of a copy to its original in the inbox: it is removed."""

    destinations: DestinationFolders
    originals: OriginalFinder
    transition: Transition[CompanionState] = RETURN

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns no columns: the row keeps the place of the copy until that is removed."""
        return {}

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns for the place in the inbox."""
        return self.originals.columns(move.photo) if move.target is None else path_columns(move.target)

    def places(self, move: PlannedMove) -> Iterator[bytes]:
        """Returns the target, then numbered names beside it."""
        target = move.target or b""
        return itertools.chain([target], self.destinations.free_places(target))

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the removal that a row names; a copy whose original is gone meanwhile moves to the inbox."""
        is_there = self.originals.find(photo) is not None
        return PlannedMove(photo, None if is_there else self.destinations.place_in_inbox(photo.inbox_path))


class CompanionFollower:
    """Moves companions after their photos. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._destinations = destinations
        self._locator = PhotoLocator(destinations, engine)
        self._engine = engine
        self._moves = Journal(destinations, engine, CompanionRoute(destinations), companions)
        self._removals = Journal(destinations, engine, Removal(REMOVE), companions)
        self._originals = OriginalFinder(destinations, claims, engine, originals.c.companion_id)
        self._returns = Journal(destinations, engine, OriginalRoute(destinations, self._originals), companions)

    def follow(self, photo_ids: Sequence[int] | None = None) -> dict[int, str]:
        """Moves the marked companions of photos to where the photos are now.

        Args:
            photo_ids: Ids of the photos; None for all.

        Returns:
            Why a companion could not be moved, to follow the photo's name, by the photos' ids.
        """
        problems: dict[int, str] = {}
        results: list[ActionResult] = []
        photo_of: dict[int, int] = {}
        planned_by: dict[Journal, list[PlannedMove]] = {}
        for journal, photo_id, move in self._plan(photo_ids, problems):
            photo_of[move.photo.id] = photo_id
            planned_by.setdefault(journal, []).append(move)
        for journal, planned in planned_by.items():
            with self._engine.begin() as connection:
                begun = [move for move in planned if journal.begin(connection, move)]
            results += journal.carry_out(begun)
        for result in results:
            if result.problem:
                problems[photo_of[result.photo.id]] = _problem(result.photo, result.problem)
        return problems

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        yield from self._moves.recover()
        yield from self._removals.recover()
        yield from self._returns.recover()
        self.follow()

    def _plan(
        self, photo_ids: Sequence[int] | None, problems: dict[int, str]
    ) -> Iterator[tuple[Journal, int, PlannedMove]]:
        marked = list(self._marked(photo_ids))
        copied = self._originals.copied(companion.id for companion, *_ in marked)
        for companion, generation, photo_id, state, path in marked:
            if state in MOVING:
                continue
            target = None if state == DELETED else _target(companion, unescape_name(generation), path)
            if target == companion.path:  # the photo has not moved
                self._set_state(companion, FILED)
                continue
            returns = companion.id in copied and target is not None and self._destinations.is_in_inbox(target)
            try:
                if returns:
                    located = self._locator.require_unchanged(companion, CHANGED_COPY)
                    self._originals.require(located)
                    target = None
                else:
                    located = self._locator.locate(companion)
                if target is not None:
                    target = next(self._destinations.free_places(target))
            except SourceChanged as problem:
                self._set_state(companion, FILED if str(problem) == CHANGED_COPY else MISSING)
                problems[photo_id] = _problem(companion, str(problem))
                continue
            except OnlyCopy as problem:
                self._set_state(companion, FILED)
                problems[photo_id] = _problem(companion, str(problem))
                continue
            except (CannotMove, OSError) as problem:
                problems[photo_id] = _problem(companion, f"cannot be moved: {problem}")
                continue
            revert = companions.update().where(companions.c.id == companion.id).values(generation=generation)
            journal = self._returns if returns else self._removals if target is None else self._moves
            yield journal, photo_id, PlannedMove(located, target, original=companion, revert=(revert,))

    def _marked(self, photo_ids: Sequence[int] | None) -> Iterable[tuple[Photo, str, int, str, bytes]]:
        """The marked companions, each with the old place of its photo, and the photo's id, state and place."""
        c = companions.c
        query = (
            sa.select(c.generation, photos.c.id, photos.c.state, photos.c.path_bytes, *columns_of(companions))
            .join_from(companions, photos)
            .where(c.state == FOLLOWING)
            .order_by(c.id)
        )
        if photo_ids is not None:
            query = query.where(c.photo_id.in_(photo_ids))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [(Photo._make(columns), old, photo_id, state, path) for old, photo_id, state, path, *columns in rows]

    def _set_state(self, companion: Photo, state: CompanionState) -> None:
        following: tuple[CompanionState, ...] = (FOLLOWING,)
        with self._engine.begin() as connection:
            update_if_state(connection, companion.id, following, table=companions, state=state)


def _target(companion: Photo, photo_before: bytes, photo_now: bytes) -> bytes:
    """The place of a companion beside its photo."""
    folder, name = os.path.split(photo_now)
    return os.path.join(folder, placed_name(os.path.basename(companion.path), os.path.basename(photo_before), name))


def _problem(companion: Photo, problem: str) -> str:
    return f"was moved, but its companion {escape_name(companion.path)} {problem}"
