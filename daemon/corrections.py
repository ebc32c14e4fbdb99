"""A person's labels: a row in `reviews` each, and the photo moves to the folder of its label.

The photo's row says where to before it moves, and in `generation` where from, so that a death in between can be mended.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from daemon import faults, recovery, schema, tree
from daemon.chosen import WHY, Chosen, Photo, a_few
from daemon.claim import Claims
from daemon.refile import Refiling
from daemon.results import place as in_columns
from daemon.results import update
from daemon.settings import Folders
from daemon.states import CORRECTING, FILED, MISSING
from daemon.takeback import BUSY, Back
from daemon.wayback import Stays
from daemon.whereabouts import facts
from models.names import raw, shown

Label = Literal["food", "non_food"]
"""What a person may call a photo."""

NO_LABEL = {
    **WHY,
    "failed": "no picture could be made of it, so no label fits; mend the file, then `foodsort retry PATH`",
    "duplicate": "is set aside as an exact copy; label the photo that it is a copy of",
    "undone": "is in the inbox; a photo can be labelled once it is sorted: `foodsort retry PATH`",
    "retry": "is in the inbox, to be sorted again; it can be labelled after that",
}
"""Why a photo in a state can be given no label."""


class _Step(NamedTuple):
    """A photo, with its path where it lies, and where it goes. review: the row of its label, if that was given just now."""

    photo: Photo
    target: bytes
    review: int | None = None


class Corrections:
    """Records labels and moves photos. One call at a time an inbox does so: see `lock.turn`."""

    def __init__(self, root: Path, folders: Folders, claims: Claims, engine: sa.Engine) -> None:
        self._way = Refiling(root, folders, claims, engine)
        self._engine, self._root = engine, root

    def correct(self, chosen: Iterable[Photo], label: Label) -> Iterator[Back]:
        """Gives filed photos a label; those that lie elsewhere move to its folder, never over anything.

        What cannot be moved keeps the label that it had.
        """
        for some in a_few(chosen):
            steps, done = self._begin(some, label)
            faults.point("correcting")
            said = {back.photo.id: back for back in (*done, *self._move_all(steps))}
            yield from (said[photo.id] for photo in some)

    def would_correct(self, chosen: Iterable[Photo], label: Label) -> Iterator[Back]:
        """What `correct` would do, as far as that can be said without doing it."""
        taken: set[bytes] = set()
        for some in a_few(chosen):
            found, stay = self._look_up(some, label, taken)
            yield from stay
            yield from (Back(photo, target) for photo, _, target in found)

    def mend(self) -> Iterator[Back]:
        """Ends what a call that died had begun."""
        for step in self._begun():
            photo = step.photo
            try:
                arrived, there = self._way.find(photo, step.target)
            except Stays as stays:
                yield Back(photo, problem=str(stays))
                continue
            action = recovery.back(CORRECTING, arrived=arrived, there=there)
            if action == "move":
                yield from self._move_all([step])
            elif action == MISSING:
                if self._set(photo, state=MISSING):
                    yield Back(photo, problem="was taken away by somebody else while it was being moved")
            else:
                yield from self._finish_alone(step, drop=action == "drop_and_finish")

    def _begin(self, some: list[Photo], label: Label) -> tuple[list[_Step], list[Back]]:
        """Records labels and where photos are about to go, in one transaction; returns these, and what is done with others."""
        found, done = self._look_up(some, label, set())
        steps = []
        with self._engine.begin() as connection:
            for photo, stat, target in found:
                moves = target != photo.path
                going = {"state": CORRECTING, "generation": shown(photo.path), **in_columns(target), **facts(stat)}
                if not update(connection, photo.id, (FILED,), **(going if moves else {"state": FILED})):
                    done.append(Back(photo, problem=BUSY))
                    continue
                review = _record(connection, photo, label)
                if moves:
                    known = photo._replace(identity=tree.identity(stat))
                    steps.append(_Step(known, target, review))
                else:
                    done.append(Back(photo, target))
        return steps, done

    def _look_up(
        self, some: list[Photo], label: Label, taken: set[bytes]
    ) -> tuple[list[tuple[Photo, os.stat_result, bytes]], list[Back]]:
        """Photos that are where their rows say, each with the place for its label, and those that are not."""
        found, stay = [], []
        has = self._labelled(some, label)
        for photo in some:
            try:
                stat = self._way.stat(photo)
                target = photo.path if photo.id in has else self._way.target(photo, label, taken)
            except Stays as stays:
                stay.append(Back(photo, problem=str(stays)))
                continue
            found.append((photo, stat, target))
        return found, stay

    def _labelled(self, some: list[Photo], label: Label) -> set[int]:
        """The ids of those photos that have the label already, by the model or by a person."""
        r = schema.results.c
        query = sa.select(r.id).where(r.id.in_([photo.id for photo in some]), r.label == label)
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def _begun(self) -> list[_Step]:
        """What rows say is on its way."""
        p = schema.photos.c
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(p.id, p.generation).where(p.state == CORRECTING))
            sources = {photo_id: raw(source) for photo_id, source in rows}
        going = Chosen(self._engine, self._root, (CORRECTING,)).all()
        return [_Step(photo._replace(path=sources[photo.id]), photo.path) for photo in going if photo.id in sources]

    def _move_all(self, steps: list[_Step]) -> list[Back]:
        stay, moved = [], []
        for step in steps:
            try:
                moved.append(step._replace(target=self._move(step)))
                faults.point("corrected")
            except OSError as error:
                stay.append(Back(step.photo, problem=f"cannot be moved: {error.strerror}"))
                if step.review is not None:
                    self._take_back(step, step.review)
        return stay + self._finish(moved)

    def _move(self, step: _Step) -> bytes:
        def going(target: bytes) -> None:
            self._set(step.photo, **in_columns(target))

        def whole(stat: os.stat_result) -> None:
            self._set(step.photo, **facts(stat))

        return self._way.move(step.photo, step.target, going, whole)

    def _finish(self, moved: list[_Step]) -> list[Back]:
        now = schema.text(datetime.now(UTC))
        with self._engine.begin() as connection:
            for photo, target, _ in moved:
                update(connection, photo.id, (CORRECTING,), state=FILED, filed_at=now, **in_columns(target))
        return [Back(photo, target) for photo, target, _ in moved]

    def _finish_alone(self, step: _Step, *, drop: bool) -> Iterator[Back]:
        """Says that a photo lies at its place. drop: what is left of it where it came from is removed."""
        if drop:
            try:
                self._way.drop(step.photo)
            except OSError as error:
                yield Back(step.photo, problem=f"cannot be removed from there: {error.strerror}")
                return
        yield from self._finish([step])

    def _take_back(self, step: _Step, review: int) -> None:
        """Leaves a photo that could not be moved as it was, label and all; not one of which a copy is there already."""
        photo = step.photo
        p, reviews = schema.photos.c, schema.reviews
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(p.path_bytes, p.identity).where(p.id == photo.id)).one()
        try:
            if self._way.has_arrived(photo._replace(identity=row.identity), row.path_bytes):
                return
        except Stays:  # what became of it, the next call finds out
            return
        before = {"identity": photo.identity, "size_bytes": photo.size_bytes, "modified_at": photo.modified_at}
        with self._engine.begin() as connection:
            if update(connection, photo.id, (CORRECTING,), state=FILED, **in_columns(photo.path), **before):
                connection.execute(reviews.delete().where(reviews.c.id == review))

    def _set(self, photo: Photo, **values: Any) -> bool:
        with self._engine.begin() as connection:
            return update(connection, photo.id, (CORRECTING,), **values)


def _record(connection: sa.Connection, photo: Photo, label: Label) -> int:
    """Records a person's label; returns the id of its row."""
    reviews = schema.reviews
    row = {"photo_id": photo.id, "label": label, "reviewed_at": schema.text(datetime.now(UTC))}
    return int(connection.execute(reviews.insert().values(row).returning(reviews.c.id)).scalar_one())
