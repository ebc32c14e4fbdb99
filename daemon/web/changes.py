"""What a person at the review page can change, and what a photo has been through."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

from daemon.actions.context import ActionBusy, Actions, open_actions
from daemon.actions.labels import PersonLabel
from daemon.actions.result import ActionResult
from daemon.actions.undo import RETRY_FAILED
from daemon.database.connections import database_errors
from daemon.database.schema import reviews
from daemon.photo import FAILED, FILED, State
from daemon.queries.explanations import WHY_NOT_DELETED, WHY_NOT_LABELLED, WHY_NOT_MOVED
from daemon.queries.photo_rows import Photo
from daemon.queries.selection import PhotoSelection
from daemon.settings import Settings
from daemon.web.history import Step, history

PATIENCE_S = 5.0

SINCE = "has been labelled since, and keeps that label"
"""Why a label is not taken back that is no longer the newest."""

LabelIds = dict[int, int]
"""Ids of the labels in `reviews` that were given, or taken back, by the ids of their photos."""


class PhotoChanges:
    """Changes photos for the page, one change at a time, in turn with commands in a shell. Any thread may call it."""

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine, patience_s: float = PATIENCE_S) -> None:
        """engine: of a database that may be written to. patience_s: how long a change waits for others to end theirs."""
        self._root, self._folders, self._engine, self._patience_s = root, settings.folders, engine, patience_s
        self._one_change = threading.Lock()

    def label(self, ids: Sequence[int], label: PersonLabel) -> tuple[list[ActionResult], LabelIds]:
        """Gives photos a person's label, see Corrections.correct. Raises ActionBusy or another FoodsortError, as all of these do.

        Each answers with one Back a photo, in the order of ids; an id that no photo has is passed over. What a person
        called so already gets no second label.
        """
        given: LabelIds = {}

        def work(actions: Actions, some: list[Photo]) -> Iterator[ActionResult]:
            before = self._newest(some)
            has = [photo for photo in some if photo.id in before and before[photo.id].label == label]
            yield from (ActionResult(photo, photo.path) for photo in has)
            yield from actions.correct.label((photo for photo in some if photo not in has), label)
            after = self._newest(some)
            given.update(
                {photo.id: after[photo.id].id for photo in some if after.get(photo.id) != before.get(photo.id)}
            )

        return self._change(ids, (FILED,), WHY_NOT_LABELLED, work), given

    def withdraw(self, ids: Sequence[int], labels: Sequence[int] | None = None) -> tuple[list[ActionResult], LabelIds]:
        """Takes back the newest label that a person gave each photo, see Corrections.withdraw.

        labels: as many ids of labels; those alone, where they are the newest yet.
        """
        named = dict(zip(ids, labels, strict=True)) if labels is not None else {}
        taken: LabelIds = {}

        def work(actions: Actions, some: list[Photo]) -> Iterator[ActionResult]:
            newest = {photo_id: review.id for photo_id, review in self._newest(some).items()}
            fit = [
                photo
                for photo in some
                if photo.id not in newest or named.get(photo.id, newest[photo.id]) == newest[photo.id]
            ]
            yield from (ActionResult(photo, problem=SINCE) for photo in some if photo not in fit)
            for back in actions.correct.withdraw(fit):
                if not back.problem:
                    taken[back.photo.id] = newest[back.photo.id]
                yield back

        return self._change(ids, (FILED,), WHY_NOT_LABELLED, work), taken

    def retry(self, ids: Sequence[int] | None) -> list[ActionResult]:
        """Has failed photos sorted again. ids: None stands for all of them."""
        return self._change(
            ids, (FAILED,), WHY_NOT_MOVED, lambda actions, some: actions.undo.move_to_inbox(some, RETRY_FAILED)
        )

    def delete(self, ids: Sequence[int]) -> list[ActionResult]:
        """Removes failed photos for good, see Deletions.delete."""
        return self._change(ids, (FAILED,), WHY_NOT_DELETED, lambda actions, some: actions.delete.remove(some))

    def history(self, photo_id: int) -> list[Step]:
        """What a photo has been through, oldest first; nothing when there is no such photo."""
        with database_errors(), self._engine.connect() as connection:
            return history(connection, photo_id)

    def _change(
        self,
        ids: Sequence[int] | None,
        states: tuple[State, ...],
        why: Mapping[State, str],
        work: Callable[[Actions, list[Photo]], Iterable[ActionResult]],
    ) -> list[ActionResult]:
        with database_errors(), self._exclusive() as actions:
            photos = PhotoSelection(self._engine, self._root, get_args(State))
            chosen = photos.by_ids(ids) if ids is not None else PhotoSelection(self._engine, self._root, states).all()
            fit = [photo for photo in chosen if photo.state in states]
            backs = list(work(actions, fit))
            backs += [ActionResult(photo, problem=why[photo.state]) for photo in chosen if photo.state not in states]
        order = {photo_id: at for at, photo_id in enumerate(ids or ())}
        return sorted(backs, key=lambda back: order.get(back.photo.id, 0))

    def _newest(self, some: Iterable[Photo]) -> dict[int, Any]:
        """The newest label that a person gave each of these photos that has one, by the photo's id: its `id` and `label`."""
        r = reviews.c
        query = sa.select(r.photo_id, r.id, r.label).where(r.photo_id.in_([photo.id for photo in some])).order_by(r.id)
        with self._engine.connect() as connection:
            return {row.photo_id: row for row in connection.execute(query)}

    @contextmanager
    def _exclusive(self) -> Iterator[Actions]:
        """The actions, while this call alone may change photos. Raises ActionBusy after `patience_s`."""
        end = time.monotonic() + self._patience_s
        if not self._one_change.acquire(timeout=self._patience_s):
            raise ActionBusy("another change is under way; nothing was changed, try again in a moment")
        try:
            # Problems of recovery are not shown here: the daemon's log and the next command report them.
            timeout_s = end - time.monotonic()
            with open_actions(self._root, self._folders, self._engine, timeout_s=timeout_s) as actions:
                yield actions
        finally:
            self._one_change.release()
