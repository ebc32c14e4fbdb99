"""Records labels by people, one row in `reviews` each, and moves each photo to the folder of its valid label."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.labels import LabelChange, PersonLabel, new_labels, withdrawals
from daemon.actions.relocation_journal import Relocation, RelocationJournal
from daemon.actions.restore import CannotMove
from daemon.actions.result import BUSY, ActionResult, in_order
from daemon.inbox.claims import Claims
from daemon.queries.photo_rows import Photo, in_chunks
from daemon.settings import FolderSettings

NO_PERSON_LABEL = "has no label by a person that could be withdrawn"

_Changes = Callable[[list[Photo]], dict[int, LabelChange]]
"""Returns the changes to the labels of photos, by their ids."""


class _PlannedMove(NamedTuple):
    """A photo at its place, and its target, which may be the same place."""

    photo: Photo
    target: bytes


class CorrectAction:
    """Records labels by people and moves the photos. The caller holds the action lock."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> None:
        self._journal = RelocationJournal(root, folders, claims, engine)
        self._engine = engine

    def label(self, photos: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """Labels filed photos and moves those in other folders to the label's folder, without overwriting.

        A photo that cannot be moved keeps its label.
        """
        return self._apply(photos, lambda chunk: new_labels(self._engine, chunk, label))

    def preview_label(self, photos: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """Previews `label`: the results that can be predicted without a change."""
        return self._preview(photos, lambda chunk: new_labels(self._engine, chunk, label))

    def withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes each photo's newest label by a person and moves the photo to the folder of its valid label.

        The valid label is then the previous one by a person, else the model's. A photo that cannot be moved keeps its
        label.
        """
        return self._apply(photos, lambda chunk: withdrawals(self._engine, chunk))

    def preview_withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Previews `withdraw`: the results that can be predicted without a change."""
        return self._preview(photos, lambda chunk: withdrawals(self._engine, chunk))

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        return self._journal.recover()

    def _apply(self, photos: Iterable[Photo], changes_of: _Changes) -> Iterator[ActionResult]:
        for chunk in in_chunks(photos):
            relocations, results = self._begin(chunk, changes_of(chunk))
            failpoints.failpoint("correcting")
            yield from in_order(chunk, results + self._journal.move_all(relocations))

    def _preview(self, photos: Iterable[Photo], changes_of: _Changes) -> Iterator[ActionResult]:
        promised: set[bytes] = set()
        for chunk in in_chunks(photos):
            planned, refused = self._plan(chunk, changes_of(chunk), promised)
            yield from refused
            yield from (ActionResult(move.photo, move.target) for move in planned)

    def _begin(
        self, photos: list[Photo], changes: dict[int, LabelChange]
    ) -> tuple[list[Relocation], list[ActionResult]]:
        """Writes labels and targets in one transaction; returns the moves, and the results of the other photos."""
        planned, results = self._plan(photos, changes, promised=set())
        relocations = []
        with self._engine.begin() as connection:
            for photo, target in planned:
                if not self._journal.begin(connection, photo, target):
                    results.append(ActionResult(photo, problem=BUSY))
                    continue
                revert_label = changes[photo.id].write(connection)
                if target == photo.path:
                    results.append(ActionResult(photo, target))
                else:
                    relocations.append(Relocation(photo, target, revert_label))
        return relocations, results

    def _plan(
        self, photos: list[Photo], changes: dict[int, LabelChange], promised: set[bytes]
    ) -> tuple[list[_PlannedMove], list[ActionResult]]:
        """Chooses a place for each photo that is where its row says; returns these, and the results of the others."""
        planned = []
        refused = []
        relocator = self._journal.relocator
        for photo in photos:
            if photo.id not in changes:
                refused.append(ActionResult(photo, problem=NO_PERSON_LABEL))
                continue
            folder = changes[photo.id].folder
            try:
                located = relocator.locator.locate(photo)
                target = photo.path if folder is None else relocator.choose_target(photo, folder, promised)
            except CannotMove as problem:
                refused.append(ActionResult(photo, problem=str(problem)))
                continue
            planned.append(_PlannedMove(located, target))
        return planned, refused
