"""Brings the rows of companions and the folders together, after those of the photos. Files are only read."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal, NamedTuple

import sqlalchemy as sa

from daemon.actions.facts import FileFacts
from daemon.actions.inventory import Inventory
from daemon.database.companions import CompanionRow
from daemon.database.rows import path_columns
from daemon.database.schema import companions, photos
from daemon.database.timestamps import format_time
from daemon.destinations.originals import OriginalMissing
from daemon.inbox.companions import CompanionRules
from daemon.photo import DELETED, FILED, MISSING
from models.filenames import escape_name

_PAGE_ROWS = 500
_RUN_ID = "repair"


class CompanionStep(NamedTuple):
    """A step that brings a row and a file together.

    Attributes:
        action: `add`: the file has no row. `move`: it is beside its photo, and its row names another place. `find`: it
            is at its place again. `lose`: it is gone.
        place: Place of the file, or the one that the row names if it is gone.
        row_id: The row; for `add` that of the photo.
        file: The file, for `add` and `move`.
        sha256: Its digest, for `add`.
    """

    action: Literal["add", "move", "find", "lose"]
    place: bytes
    row_id: int
    file: FileFacts | None = None
    sha256: str = ""


class _Row(NamedTuple):
    """A row, and the place of its photo."""

    id: int
    state: str
    place: bytes
    sha256: str
    size_bytes: int
    identity: str
    photo: bytes


class CompanionRepair:
    """Compares the rows and the files of companions, and changes the rows. The caller holds the action lock."""

    def __init__(self, inventory: Inventory, engine: sa.Engine, rules: CompanionRules) -> None:
        self._inventory = inventory
        self._engine = engine
        self._rules = rules

    def photos(self) -> Iterator[FileFacts]:
        """Yields the files in the folders of sorted photos, except companions beside their photos."""
        for files in self._folders():
            names = self._rules.index(os.path.basename(file.place) for file in files)
            yield from (file for file in files if not self._rules.photo_of(os.path.basename(file.place), names))

    def places(self) -> Iterator[bytes]:
        """Yields the places that rows of companions name."""
        after = 0
        while page := self._page(after):
            yield from (row.place for row in page)
            after = page[-1].id

    def preview(self) -> Counter[str]:
        """Counts the steps by their actions."""
        return Counter(step.action for step in self._steps())

    def apply(self) -> Counter[str]:
        """Changes the rows. A killed call is completed by the next one. Returns the number of steps by action."""
        counts: Counter[str] = Counter()
        for step in self._steps():
            with self._engine.begin() as connection:
                self._write(connection, step)
            counts[step.action] += 1
        return counts

    def _steps(self) -> Iterator[CompanionStep]:
        after = 0
        while page := self._page(after):
            for row in page:
                yield from self._compare(row)
            after = page[-1].id
        for files in self._folders():
            yield from self._without_row(files)

    def _folders(self) -> Iterator[list[FileFacts]]:
        """The files of each folder."""
        for _, files in groupby(self._inventory.files(), key=lambda file: os.path.dirname(file.place)):
            yield list(files)

    def _page(self, after: int) -> list[_Row]:
        c = companions.c
        query = (
            sa.select(
                c.id, c.state, c.path_bytes, c.sha256, c.size_bytes, c.identity, photos.c.path_bytes.label("photo")
            )
            .join_from(companions, photos)
            .where(c.id > after, c.state != DELETED)
            .order_by(c.id)
            .limit(_PAGE_ROWS)
        )
        with self._engine.connect() as connection:
            return [_Row._make(row) for row in connection.execute(query)]

    def _compare(self, row: _Row) -> Iterator[CompanionStep]:
        if self._inventory.at(row.place) is not None:
            if row.state == MISSING:
                yield CompanionStep("find", row.place, row.id)
            return
        beside = os.path.join(os.path.dirname(row.photo), os.path.basename(row.place))
        file = self._inventory.at(beside)
        if file is not None and file.size_bytes == row.size_bytes and self._digest(file) == row.sha256:
            yield CompanionStep("move", beside, row.id, file)
        elif row.state != MISSING and not self._inventory.away(row.place, row.identity):
            yield CompanionStep("lose", row.place, row.id)

    def _without_row(self, files: list[FileFacts]) -> Iterator[CompanionStep]:
        photo_names = self._rules.index(os.path.basename(file.place) for file in files)
        found = {
            file.place: (file, os.path.join(os.path.dirname(file.place), photo))
            for file in files
            if (photo := self._rules.photo_of(os.path.basename(file.place), photo_names))
        }
        known = self._ids(companions, list(found))
        photo_ids = self._ids(photos, [photo for _, photo in found.values()])
        recorded = self._ids(photos, list(found))
        for place, (file, photo) in found.items():
            if place in known or place in recorded or photo not in photo_ids:
                continue
            if sha256 := self._digest(file):
                yield CompanionStep("add", place, photo_ids[photo], file, sha256)

    def _ids(self, table: sa.Table, places: list[bytes]) -> dict[bytes, int]:
        """The newest rows that name places."""
        ids: dict[bytes, int] = {}
        t = table.c
        for start in range(0, len(places), _PAGE_ROWS):
            names = {escape_name(os.path.basename(place)) for place in places[start : start + _PAGE_ROWS]}
            query = sa.select(t.path_bytes, t.id).where(t.name.in_(names), t.state != MISSING).order_by(t.id)
            with self._engine.connect() as connection:
                ids |= {row.path_bytes: row.id for row in connection.execute(query)}
        return ids

    def _digest(self, file: FileFacts) -> str | None:
        with suppress(OriginalMissing):
            return self._inventory.digest(file)
        return None

    def _write(self, connection: sa.Connection, step: CompanionStep) -> None:
        if step.action == "add":
            assert step.file is not None
            connection.execute(companions.insert().values(self._row(step, step.file)))
            return
        columns = {"state": MISSING if step.action == "lose" else FILED}
        if step.file is not None:
            facts = {"identity": step.file.identity, "modified_at": step.file.modified_at}
            columns |= path_columns(step.place) | facts
        connection.execute(companions.update().where(companions.c.id == step.row_id).values(columns))

    def _row(self, step: CompanionStep, file: FileFacts) -> dict[str, object]:
        now = format_time(datetime.now(UTC))
        row = CompanionRow(
            photo_id=step.row_id,
            path=file.place,
            inbox_path=self._inventory.path_in_folder(file),
            run_id=_RUN_ID,
            identity=file.identity,
            sha256=step.sha256,
            size_bytes=file.size_bytes,
            modified_at=file.modified_at,
            claimed_at=now,
        )
        return row.columns() | {"state": FILED, "filed_at": now}
