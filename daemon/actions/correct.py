"""Records labels by people, one row in `reviews` each, and moves each photo to the folder of its valid label."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companions import CompanionFollower
from daemon.actions.journal import Journal
from daemon.actions.labels import LabelChange, PersonLabel, Source, new_labels, withdrawals
from daemon.actions.locate import CannotMove, PhotoLocator, file_of
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.actions.route import PlannedMove, Transition
from daemon.database.rows import path_columns, update_if_state
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.target import TargetChooser
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import CORRECTING, FILED, MISSING, State
from daemon.queries.photo_rows import Photo, in_chunks
from models import Label
from models.filenames import escape_name, unescape_name

NO_PERSON_LABEL = "has no label by a person that could be withdrawn"

_Changes = Callable[[list[Photo]], dict[int, LabelChange]]
"""Returns the changes to the labels of photos, by their ids."""


CORRECT: Transition[State] = Transition((FILED,), CORRECTING, FILED, MISSING)


@dataclass(frozen=True)
class LabelRoute:
    """The way to the folder of another label: the row names the target as its path, and the source in `generation`."""

    destinations: DestinationFolders
    transition: Transition[State] = CORRECT

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns the columns for both places."""
        return path_columns(target or b"") | {"generation": escape_name(move.photo.path)}

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns for the new place."""
        return path_columns(move.target or b"") | {"filed_at": format_time(datetime.now(UTC))}

    def places(self, move: PlannedMove) -> Iterator[bytes]:
        """Returns the target, then the name that the photo has and numbers in the target's folder."""
        target = move.target or b""
        beside = os.path.join(os.path.dirname(target), os.path.basename(move.photo.path))
        return itertools.chain([target], self.destinations.free_places(beside))

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the move that a row names."""
        return PlannedMove(photo._replace(path=unescape_name(generation)), photo.path)


class CorrectAction:
    """Records labels by people and moves the photos. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._destinations = destinations
        self._targets = TargetChooser(destinations, companions=lambda: True)
        self._locator = PhotoLocator(destinations, engine)
        self._journal = Journal(destinations, engine, LabelRoute(destinations))
        self._companions = CompanionFollower(destinations, engine, claims)
        self._engine = engine

    def label(self, photos: Iterable[Photo], label: PersonLabel, source: Source = "person") -> Iterator[ActionResult]:
        """Labels filed photos and moves those in other folders to the label's folder, without overwriting.

        A photo that cannot be moved keeps its label.
        """
        return self._apply(photos, lambda chunk: new_labels(self._engine, chunk, label, source))

    def preview_label(self, photos: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """What `label` would do, as far as that can be known without doing it."""
        return self._preview(photos, lambda chunk: new_labels(self._engine, chunk, label))

    def withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes each photo's newest label by a person and moves the photo to the folder of its valid label.

        The valid label is then the previous one by a person, else the model's. A photo that cannot be moved keeps its
        label.
        """
        return self._apply(photos, lambda chunk: withdrawals(self._engine, chunk))

    def preview_withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """What `withdraw` would do, as far as that can be known without doing it."""
        return self._preview(photos, lambda chunk: withdrawals(self._engine, chunk))

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        return self._journal.recover()

    def _apply(self, photos: Iterable[Photo], changes_of: _Changes) -> Iterator[ActionResult]:
        for chunk in in_chunks(photos):
            moves, results = self._begin(chunk, changes_of(chunk))
            failpoints.failpoint("begun")
            results += self._journal.carry_out(moves)
            yield from in_order(chunk, results, self._companions.follow([move.photo.id for move in moves]))

    def _preview(self, photos: Iterable[Photo], changes_of: _Changes) -> Iterator[ActionResult]:
        promised: set[bytes] = set()
        for chunk in in_chunks(photos):
            planned, refused = self._plan(chunk, changes_of(chunk), promised)
            yield from refused
            yield from (ActionResult(move.photo, move.target or b"") for move in planned)

    def _begin(
        self, photos: list[Photo], changes: dict[int, LabelChange]
    ) -> tuple[list[PlannedMove], list[ActionResult]]:
        """Writes labels and targets in one transaction; returns the moves, and the results of the other photos."""
        planned, results = self._plan(photos, changes, promised=set())
        moves = []
        with self._engine.begin() as connection:
            for move in planned:
                photo = move.photo
                if move.target == photo.path:
                    begun = update_if_state(connection, photo.id, (FILED,), state=FILED, **file_of(photo))
                else:
                    begun = self._journal.begin(connection, move)
                if not begun:
                    results.append(ActionResult(photo, problem=BUSY))
                    continue
                revert_label = changes[photo.id].write(connection)
                if move.target == photo.path:
                    results.append(ActionResult(photo, photo.path))
                else:
                    moves.append(move._replace(revert=revert_label))
        return moves, results

    def _plan(
        self, photos: list[Photo], changes: dict[int, LabelChange], promised: set[bytes]
    ) -> tuple[list[PlannedMove], list[ActionResult]]:
        """Chooses a place for each photo that is where its row says; returns these, and the results of the others."""
        planned = []
        refused = []
        for photo in photos:
            if photo.id not in changes:
                refused.append(ActionResult(photo, problem=NO_PERSON_LABEL))
                continue
            folder = changes[photo.id].folder
            try:
                located = self._locator.locate(photo)
                target = photo.path if folder is None else self._choose_target(photo, folder, promised)
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
                continue
            planned.append(PlannedMove(located, target, original=photo))
        return planned, refused

    def _choose_target(self, photo: Photo, label: Label, promised: set[bytes]) -> bytes:
        """The first free place for a photo in the folder of a label; its own place if it is in that folder already.

        Args:
            photo: The photo.
            label: The label whose folder is wanted.
            promised: Places promised to other photos; the chosen one is added.

        Raises:
            CannotMove: The folder cannot be read.
        """
        if self._destinations.is_in(photo.path, label):
            return photo.path
        parent, _ = dirfd.split(photo.inbox_path)
        path = dirfd.join(parent, os.path.basename(photo.path))
        try:
            with closing(self._targets):
                return self._targets.choose(label, path, photo.sha256, promised)
        except OSError as error:
            raise CannotMove(f"cannot be moved: {error.strerror}") from error
