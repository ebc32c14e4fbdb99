"""Changes the labels of sorted photos, and moves each photo to the folder of its label in the same step."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Protocol

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companions import CompanionFollower
from daemon.actions.journal import Journal
from daemon.actions.label_route import LabelRoute
from daemon.actions.locate import CannotMove, PhotoLocator, file_of
from daemon.actions.result import ActionResult, in_order
from daemon.actions.route import PlannedMove, Statements
from daemon.database.rows import update_if_state
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.target import TargetChooser
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.photo import FILED
from daemon.queries.photo_rows import Photo, in_chunks
from models import Label


class LabelChange(Protocol):
    """A change of a photo's label in the database."""

    @property
    def folder(self) -> Label | None:
        """The label whose folder the photo moves to; None if it stays where it is."""

    @property
    def guard(self) -> "sa.ColumnElement[bool]":
        """What must hold for the photo's row when the change is written."""

    @property
    def refusal(self) -> str:
        """Why the photo is left alone if the guard does not hold, to follow its name."""

    def write(self, connection: sa.Connection) -> Statements:
        """Writes the change; returns the statements that revert it."""


Changes = Callable[[list[Photo]], Mapping[int, LabelChange | str]]
"""Returns for each photo, by its id, its change, or why it has none, to follow its name."""


class LabelMoves:
    """Changes labels and moves photos. The caller holds the action lock."""

    def __init__(
        self,
        destinations: DestinationFolders,
        engine: sa.Engine,
        claims: Claims,
        *,
        changed_file: str | None = None,
    ) -> None:
        """Prepares the moves.

        Args:
            destinations: The folders.
            engine: The database.
            claims: The open inbox.
            changed_file: Why a photo is left alone whose bytes have changed since it was sorted; None if it is changed
                and moved all the same.
        """
        self._destinations = destinations
        self._targets = TargetChooser(destinations, companions=lambda: True)
        self._locator = PhotoLocator(destinations, engine)
        self._journal = Journal(destinations, engine, LabelRoute(destinations))
        self._companions = CompanionFollower(destinations, engine, claims)
        self._engine = engine
        self._changed_file = changed_file

    def apply(self, photos: Iterable[Photo], changes_of: Changes) -> Iterator[ActionResult]:
        """Changes labels and moves photos to their folders, without overwriting.

        A photo that cannot be moved keeps its label.
        """
        for chunk in in_chunks(photos):
            moves, results = self._begin(chunk, changes_of(chunk))
            failpoints.failpoint("begun")
            results += self._journal.carry_out(moves)
            yield from in_order(chunk, results, self._companions.follow([move.photo.id for move in moves]))

    def preview(self, photos: Iterable[Photo], changes_of: Changes) -> Iterator[ActionResult]:
        """What `apply` would do, as far as that can be known without doing it."""
        promised: set[bytes] = set()
        for chunk in in_chunks(photos):
            planned, refused = self._plan(chunk, changes_of(chunk), promised)
            yield from refused
            yield from (ActionResult(move.photo, move.target or b"") for move, _ in planned)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        return self._journal.recover()

    def _begin(
        self, photos: list[Photo], changes: Mapping[int, LabelChange | str]
    ) -> tuple[list[PlannedMove], list[ActionResult]]:
        """Writes labels and targets in one transaction; returns the moves, and the results of the other photos."""
        planned, results = self._plan(photos, changes, promised=set())
        moves = []
        with self._engine.begin() as connection:
            for move, change in planned:
                photo = move.photo
                stays = move.target == photo.path
                if stays:
                    begun = update_if_state(
                        connection, photo.id, (FILED,), guard=change.guard, state=FILED, **file_of(photo)
                    )
                else:
                    begun = self._journal.begin(connection, move, change.guard)
                if not begun:
                    results.append(ActionResult(photo, problem=change.refusal))
                    continue
                revert = change.write(connection)
                if stays:
                    results.append(ActionResult(photo, photo.path))
                else:
                    moves.append(move._replace(revert=revert))
        return moves, results

    def _plan(
        self, photos: list[Photo], changes: Mapping[int, LabelChange | str], promised: set[bytes]
    ) -> tuple[list[tuple[PlannedMove, LabelChange]], list[ActionResult]]:
        """Chooses a place for each photo that is where its row says; returns these, and the results of the others."""
        planned = []
        refused = []
        for photo in photos:
            change = changes[photo.id]
            if isinstance(change, str):
                refused.append(ActionResult(photo, problem=change))
                continue
            folder = change.folder
            try:
                located = self._locate(photo)
                target = photo.path if folder is None else self._choose_target(photo, folder, promised)
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
                continue
            planned.append((PlannedMove(located, target, original=photo), change))
        return planned, refused

    def _locate(self, photo: Photo) -> Photo:
        if self._changed_file is None:
            return self._locator.locate(photo)
        return self._locator.require_unchanged(photo, self._changed_file)

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
