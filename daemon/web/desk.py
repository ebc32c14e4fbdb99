"""A stand-in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.chosen import Chosen, Photo
from daemon.claim import Claims
from daemon.corrections import Corrections
from daemon.lock import turn
from daemon.schema import photos, reviews
from daemon.settings import Settings
from daemon.states import FAILED, FILED
from daemon.takeback import RETRY_FAILED, Back, Takeback


class Step(NamedTuple):
    """A stand-in."""

    at: str
    said: str


class Desk:
    """A stand-in."""

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine) -> None:
        self._root, self._settings, self._engine = root, settings, engine

    @contextmanager
    def _open(self) -> Iterator[tuple[Takeback, Corrections]]:
        inbox = self._root / self._settings.folders.inbox
        claims = Claims(inbox)
        disks: Any = (self._root, self._settings.folders, claims, self._engine)
        try:
            with turn(claims.inbox, inbox, lambda: True):
                yield Takeback(*disks), Corrections(*disks)
        finally:
            claims.close()

    def _chosen(self, ids: list[int] | None, state: Any) -> list[Photo]:
        return [photo for photo in Chosen(self._engine, self._root, (state,)).all() if ids is None or photo.id in ids]

    def label(self, ids: list[int], label: Any) -> list[Back]:
        """Label."""
        with self._open() as (_, corrections):
            return list(corrections.correct(self._chosen(ids, FILED), label))

    def withdraw(self, ids: list[int]) -> list[Back]:
        """Undo."""
        backs = []
        for photo in self._chosen(ids, FILED):
            with self._engine.connect() as connection:
                p = photos.c
                predicted: Any = connection.execute(sa.select(p.predicted_label).where(p.id == photo.id)).scalar()
            with self._open() as (_, corrections):
                [back] = corrections.correct([photo], predicted)
            with self._engine.begin() as connection:
                connection.execute(reviews.delete().where(reviews.c.photo_id == photo.id))
            backs.append(back)
        return backs

    def retry(self, ids: list[int] | None) -> list[Back]:
        """Retry."""
        with self._open() as (takeback, _):
            return list(takeback.take(self._chosen(ids, FAILED), RETRY_FAILED))

    def delete(self, ids: list[int]) -> list[Back]:
        """Delete."""
        backs = []
        for photo in self._chosen(ids, FAILED):
            os.unlink(os.path.join(os.fsencode(self._root), photo.path))
            with self._engine.begin() as connection:
                connection.execute(photos.delete().where(photos.c.id == photo.id))
            backs.append(Back(photo))
        return backs

    def history(self, photo_id: int) -> list[Step]:
        """Steps."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(photos).where(photos.c.id == photo_id)).mappings().one()
        return [Step(row["claimed_at"], "came into the inbox"), Step(row["filed_at"], "filed")]
