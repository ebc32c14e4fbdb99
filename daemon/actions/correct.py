"""A person's labels: a row in `reviews` each, and the photo moves to the folder of the label that holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.labels import Change, PersonLabel, given, withdrawn
from daemon.actions.relocate import Relocator, Step, begin
from daemon.actions.restore import CannotMove
from daemon.actions.undo import BUSY, ActionResult
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.queries.selection import WHY, Photo, in_chunks
from daemon.settings import FolderSettings

NO_LABEL = {
    **WHY,
    "failed": "no picture could be made of it, so no label fits; mend the file, then `foodsort retry PATH`",
    "duplicate": "is set aside as an exact copy; label the photo that it is a copy of",
    "undone": "is in the inbox; a photo can be labelled once it is sorted: `foodsort retry PATH`",
    "retry": "is in the inbox, to be sorted again; it can be labelled after that",
}
"""Why a photo in a state can be given no label."""

NO_PERSON = "has no label of a person's that could be taken back"


class CorrectAction:
    """Records labels and moves photos. One call at a time an inbox does so: see `lock.turn`."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._relocation = Relocator(root, folders, claims, engine)
        self._engine = engine

    def correct(self, chosen: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """Gives filed photos a label; those that lie elsewhere move to its folder, never over anything.

        What cannot be moved keeps the label that it had.
        """
        return self._carry_out(chosen, lambda some: given(self._engine, some, label))

    def would_correct(self, chosen: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """What `correct` would do, as far as that can be said without doing it."""
        return self._foretell(chosen, lambda some: given(self._engine, some, label))

    def withdraw(self, chosen: Iterable[Photo]) -> Iterator[ActionResult]:
        """Takes back the newest label that a person gave to each photo; it moves to the folder of the label that holds then.

        That is an earlier one of a person's, else the model's. What cannot be moved keeps the label that it had.
        """
        return self._carry_out(chosen, lambda some: withdrawn(self._engine, some))

    def would_withdraw(self, chosen: Iterable[Photo]) -> Iterator[ActionResult]:
        """What `withdraw` would do, as far as that can be said without doing it."""
        return self._foretell(chosen, lambda some: withdrawn(self._engine, some))

    def mend(self) -> Iterator[ActionResult]:
        """Ends what a call that died had begun."""
        return self._relocation.mend()

    def _carry_out(
        self, chosen: Iterable[Photo], changes: Callable[[list[Photo]], dict[int, Change]]
    ) -> Iterator[ActionResult]:
        for some in in_chunks(chosen):
            steps, done = self._begin(some, changes(some))
            failpoints.failpoint("correcting")
            said = {back.photo.id: back for back in (*done, *self._relocation.move_all(steps))}
            yield from (said[photo.id] for photo in some)

    def _foretell(
        self, chosen: Iterable[Photo], changes: Callable[[list[Photo]], dict[int, Change]]
    ) -> Iterator[ActionResult]:
        taken: set[bytes] = set()
        for some in in_chunks(chosen):
            found, stay = self._look_up(some, changes(some), taken)
            yield from stay
            yield from (ActionResult(photo, target) for photo, _, target in found)

    def _begin(self, some: list[Photo], changes: dict[int, Change]) -> tuple[list[Step], list[ActionResult]]:
        """Writes labels and where photos are about to go, in one transaction; returns these, and what is done with others."""
        found, done = self._look_up(some, changes, set())
        steps = []
        with self._engine.begin() as connection:
            for photo, stat, target in found:
                if not begin(connection, photo, stat, target):
                    done.append(ActionResult(photo, problem=BUSY))
                    continue
                amends = changes[photo.id].write(connection)
                if target == photo.path:
                    done.append(ActionResult(photo, target))
                else:
                    known = photo._replace(identity=dirfd.identity(stat))
                    steps.append(Step(known, target, amends))
        return steps, done

    def _look_up(
        self, some: list[Photo], changes: dict[int, Change], taken: set[bytes]
    ) -> tuple[list[tuple[Photo, os.stat_result, bytes]], list[ActionResult]]:
        """Photos that are where their rows say, each with its place to be, and those that stay."""
        found, stay = [], []
        way = self._relocation.way
        for photo in some:
            if photo.id not in changes:
                stay.append(ActionResult(photo, problem=NO_PERSON))
                continue
            fate = changes[photo.id].fate
            try:
                stat = way.stat(photo)
                target = photo.path if fate is None else way.target(photo, fate, taken)
            except CannotMove as stays:
                stay.append(ActionResult(photo, problem=str(stays)))
                continue
            found.append((photo, stat, target))
        return found, stay
