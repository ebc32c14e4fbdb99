"""Changes that a person makes at the review page."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, get_args

import sqlalchemy as sa

from daemon.actions.context import ActionBusy, Actions, open_actions
from daemon.actions.labels import PersonLabel, Source
from daemon.actions.result import ActionResult
from daemon.actions.undo import RETRY_FAILED
from daemon.database.connections import database_errors
from daemon.database.schema import reviews
from daemon.photo import FAILED, FILED, State
from daemon.queries import audit
from daemon.queries.explanations import WHY_NOT_DELETED, WHY_NOT_LABELLED, WHY_NOT_MOVED
from daemon.queries.photo_rows import Photo
from daemon.queries.selection import PhotoSelection
from daemon.settings import Settings
from daemon.web.history import Step, history

PATIENCE_S = 5.0

SINCE = "has been labelled since, and keeps that label"
"""Why a label is not withdrawn that is no longer the newest."""

LabelIds = dict[int, int]
"""Ids of labels in `reviews` by the ids of their photos."""


class Changed(NamedTuple):
    """The result of a change.

    Attributes:
        results: One result a photo, in the order of the ids; an id without a photo has none.
        labels: The labels that were given, or withdrawn.
    """

    results: list[ActionResult]
    labels: LabelIds


class _Label(NamedTuple):
    """A row of `reviews`."""

    id: int
    label: str
    source: str


class PhotoChanges:
    """Changes photos for the page, one change at a time, in turn with commands in a shell. Any thread may call it.

    Every method raises ActionBusy or another FoodsortError.
    """

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine, patience_s: float = PATIENCE_S) -> None:
        """Opens nothing yet.

        Args:
            root: The root folder.
            settings: Its settings.
            engine: Its database, writable.
            patience_s: How long a change waits for changes of other processes (s).
        """
        self._root = root
        self._folders = settings.folders
        self._engine = engine
        self._patience_s = patience_s
        self._one_change = threading.Lock()

    def label(self, ids: Sequence[int], label: PersonLabel) -> Changed:
        """Gives photos a person's label and moves them. A photo that has this label from a person gets no second one."""
        with database_errors(), self._exclusive() as actions:
            photos, results = self._select(ids, (FILED,), WHY_NOT_LABELLED)
            before = self._newest_labels(photos)
            same = {photo_id for photo_id, newest in before.items() if newest.label == label}
            results += [ActionResult(photo, photo.path) for photo in photos if photo.id in same]
            results += actions.correct.label((photo for photo in photos if photo.id not in same), label)
            after = self._newest_labels(photos)
        return Changed(_in_order(results, ids), _given(before, after))

    def answer(self, photo_id: int, label: PersonLabel, earlier: int | None = None) -> Changed:
        """Gives a photo the label that a person answered without the model's in view; a reserved one to the audit.

        Args:
            photo_id: The photo.
            label: The answer.
            earlier: The id of the person's label in doubt, for a photo that is asked again: the same answer then counts
                as a second label. An answer that is sent twice does not, nor does the audit count one twice.
        """
        with database_errors(), self._exclusive() as actions:
            photos, results = self._select([photo_id], (FILED,), WHY_NOT_LABELLED)
            before = self._newest_labels(photos)
            for photo in photos:
                source: Source = "audit" if audit.is_reserved(photo.sha256) else "person"
                newest = before.get(photo.id)
                if newest and newest.label == label and newest.id != earlier and source in ("person", newest.source):
                    results.append(ActionResult(photo, photo.path))
                else:
                    results += actions.correct.label([photo], label, source)
            after = self._newest_labels(photos)
        return Changed(results, _given(before, after))

    def withdraw(self, ids: Sequence[int], labels: Sequence[int] | None = None) -> Changed:
        """Takes back labels of photos, and the moves that they caused.

        Args:
            ids: Photos.
            labels: As many ids of labels; only those are withdrawn, and only while they are the newest of their photos.
                Without, the newest label of each photo is.
        """
        expected = dict(zip(ids, labels, strict=True)) if labels is not None else {}
        with database_errors(), self._exclusive() as actions:
            photos, results = self._select(ids, (FILED,), WHY_NOT_LABELLED)
            newest = {photo_id: label.id for photo_id, label in self._newest_labels(photos).items()}
            outdated = {photo_id for photo_id, label in newest.items() if expected.get(photo_id, label) != label}
            results += [ActionResult(photo, problem=SINCE) for photo in photos if photo.id in outdated]
            withdrawn = list(actions.correct.withdraw([photo for photo in photos if photo.id not in outdated]))
        done = {result.photo.id: newest[result.photo.id] for result in withdrawn if not result.problem}
        return Changed(_in_order(results + withdrawn, ids), done)

    def retry(self, ids: Sequence[int] | None) -> Changed:
        """Returns failed photos to the inbox, to be sorted again. ids: None for all of them."""
        with database_errors(), self._exclusive() as actions:
            photos, results = self._select(ids, (FAILED,), WHY_NOT_MOVED)
            results += actions.undo.move_to_inbox(photos, RETRY_FAILED)
        return Changed(_in_order(results, ids or ()), {})

    def delete(self, ids: Sequence[int]) -> Changed:
        """Deletes failed photos permanently."""
        with database_errors(), self._exclusive() as actions:
            photos, results = self._select(ids, (FAILED,), WHY_NOT_DELETED)
            results += actions.delete.remove(photos)
        return Changed(_in_order(results, ids), {})

    def history(self, photo_id: int) -> list[Step]:
        """The history of a photo, oldest step first; empty if there is no such photo."""
        with database_errors(), self._engine.connect() as connection:
            return history(connection, photo_id)

    def _select(
        self, ids: Sequence[int] | None, states: tuple[State, ...], reasons: Mapping[State, str]
    ) -> tuple[list[Photo], list[ActionResult]]:
        """The photos that are in one of the states, and for each of the others the reason why it stays as it is."""
        if ids is None:
            return PhotoSelection(self._engine, self._root, states).all(), []
        photos = PhotoSelection(self._engine, self._root, get_args(State)).by_ids(ids)
        refused = [ActionResult(photo, problem=reasons[photo.state]) for photo in photos if photo.state not in states]
        return [photo for photo in photos if photo.state in states], refused

    def _newest_labels(self, photos: Sequence[Photo]) -> dict[int, _Label]:
        """The newest label that a person gave each photo, by the photo's id."""
        r = reviews.c
        query = sa.select(r.photo_id, r.id, r.label, r.source).where(r.photo_id.in_([photo.id for photo in photos]))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(r.id)).all()
        return {row.photo_id: _Label(row.id, row.label, row.source) for row in rows}

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


def _given(before: Mapping[int, _Label], after: Mapping[int, _Label]) -> LabelIds:
    """The labels that are new."""
    return {photo_id: newest.id for photo_id, newest in after.items() if newest != before.get(photo_id)}


def _in_order(results: list[ActionResult], ids: Sequence[int]) -> list[ActionResult]:
    order = {photo_id: position for position, photo_id in enumerate(ids)}
    return sorted(results, key=lambda result: order.get(result.photo.id, 0))
