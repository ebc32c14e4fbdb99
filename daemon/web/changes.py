"""What a person at the review page can change, and what a photo has been through."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

from daemon.actions.context import Actions, require_daemon_user
from daemon.actions.correct import NO_LABEL
from daemon.actions.delete import NOT_DELETED
from daemon.actions.labels import PersonLabel
from daemon.actions.undo import RETRY_FAILED, ActionResult
from daemon.database.connections import told
from daemon.database.schema import reviews
from daemon.inbox.claims import PRIVATE, Claims
from daemon.inbox.lock import action_lock
from daemon.photo import FAILED, FILED, State
from daemon.queries.selection import WHY, Photo, PhotoSelection
from daemon.settings import Settings
from daemon.web.history import Step, history
from models.errors import FoodsortError

PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.05


SINCE = "has been labelled since, and keeps that label"
"""Why a label is not taken back that is no longer the newest."""

LabelIds = dict[int, int]
"""Ids of the labels in `reviews` that were given, or taken back, by the ids of their photos."""


class ActionBusy(FoodsortError):
    """Raised when others moved photos all the time, so that nothing could be changed."""


class PhotoChanges:
    """Changes photos for the page, one change at a time, in turn with commands in a shell. Any thread may call it."""

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine, patience_s: float = PATIENCE_S) -> None:
        """engine: of a database that may be written to. patience_s: how long a change waits for others to end theirs."""
        self._root, self._folders, self._engine, self._patience_s = root, settings.folders, engine, patience_s
        self._inbox = root / settings.folders.inbox
        self._one = threading.Lock()

    def label(self, ids: Sequence[int], label: PersonLabel) -> tuple[list[ActionResult], LabelIds]:
        """Gives photos a person's label, see Corrections.correct. Raises ActionBusy or another FoodsortError, as all of these do.

        Each answers with one Back a photo, in the order of ids; an id that no photo has is passed over. What a person
        called so already gets no second label.
        """
        given: LabelIds = {}

        def work(movers: Actions, some: list[Photo]) -> Iterator[ActionResult]:
            before = self._newest(some)
            has = [photo for photo in some if photo.id in before and before[photo.id].label == label]
            yield from (ActionResult(photo, photo.path) for photo in has)
            yield from movers.corrections.correct((photo for photo in some if photo not in has), label)
            after = self._newest(some)
            given.update(
                {photo.id: after[photo.id].id for photo in some if after.get(photo.id) != before.get(photo.id)}
            )

        return self._change(ids, (FILED,), NO_LABEL, work), given

    def withdraw(self, ids: Sequence[int], labels: Sequence[int] | None = None) -> tuple[list[ActionResult], LabelIds]:
        """Takes back the newest label that a person gave each photo, see Corrections.withdraw.

        labels: as many ids of labels; those alone, where they are the newest yet.
        """
        named = dict(zip(ids, labels, strict=True)) if labels is not None else {}
        taken: LabelIds = {}

        def work(movers: Actions, some: list[Photo]) -> Iterator[ActionResult]:
            newest = {photo_id: review.id for photo_id, review in self._newest(some).items()}
            fit = [
                photo
                for photo in some
                if photo.id not in newest or named.get(photo.id, newest[photo.id]) == newest[photo.id]
            ]
            yield from (ActionResult(photo, problem=SINCE) for photo in some if photo not in fit)
            for back in movers.corrections.withdraw(fit):
                if not back.problem:
                    taken[back.photo.id] = newest[back.photo.id]
                yield back

        return self._change(ids, (FILED,), NO_LABEL, work), taken

    def retry(self, ids: Sequence[int] | None) -> list[ActionResult]:
        """Has failed photos sorted again. ids: None stands for all of them."""
        return self._change(ids, (FAILED,), WHY, lambda movers, some: movers.takeback.take(some, RETRY_FAILED))

    def delete(self, ids: Sequence[int]) -> list[ActionResult]:
        """Removes failed photos for good, see Deletions.delete."""
        return self._change(ids, (FAILED,), NOT_DELETED, lambda movers, some: movers.deletions.delete(some))

    def history(self, photo_id: int) -> list[Step]:
        """What a photo has been through, oldest first; nothing when there is no such photo."""
        with told(), self._engine.connect() as connection:
            return history(connection, photo_id)

    def _change(
        self,
        ids: Sequence[int] | None,
        states: tuple[State, ...],
        why: Mapping[State, str],
        work: Callable[[Actions, list[Photo]], Iterable[ActionResult]],
    ) -> list[ActionResult]:
        with told(), self._turn() as movers:
            photos = PhotoSelection(self._engine, self._root, get_args(State))
            chosen = photos.ids(ids) if ids is not None else PhotoSelection(self._engine, self._root, states).all()
            fit = [photo for photo in chosen if photo.state in states]
            backs = list(work(movers, fit))
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
    def _turn(self) -> Iterator[Actions]:
        """What moves photos, when it is this call's turn. Raises ActionBusy when that does not come within patience_s."""
        busy = ActionBusy("another call of foodsort is moving photos; nothing was changed, try again in a moment")
        end = time.monotonic() + self._patience_s
        with ExitStack() as held:
            if not self._one.acquire(timeout=self._patience_s):
                raise busy
            held.callback(self._one.release)
            try:
                claims = held.enter_context(closing(Claims(self._inbox)))
                require_daemon_user(self._inbox / PRIVATE.decode())
                while not (ours := self._is_ours(held, claims)) and time.monotonic() < end:
                    time.sleep(_LOOK_EVERY_S)
            except OSError as error:
                raise FoodsortError(f"the inbox {self._inbox} cannot be used: {error.strerror}") from error
            if not ours:
                raise busy
            movers = Actions.of(self._root, self._folders, claims, self._engine)
            for _ in movers.mend():  # what stays of it, the daemon's log and the next command tell
                pass
            yield movers

    def _is_ours(self, held: ExitStack, claims: Claims) -> bool:
        """Whether the turn could be had at once; `held` keeps it then."""
        with ExitStack() as trying:
            ours = trying.enter_context(action_lock(claims.inbox_fd, self._inbox, wait=lambda: False))
            if ours:
                held.push(trying.pop_all())
            return ours
