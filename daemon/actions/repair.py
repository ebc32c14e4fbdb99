"""Brings rows and folders together: compares them both ways and changes rows. Photos are only read."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import groupby, islice
from typing import NamedTuple

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.companion_repair import CompanionRepair
from daemon.actions.comparison import Comparison
from daemon.actions.facts import Differences, FileFacts, RowFacts, Step
from daemon.actions.inventory import Inventory
from daemon.actions.repair_writer import RepairWriter
from daemon.database.originals import OriginalRecorder
from daemon.database.schema import photos
from daemon.destinations.originals import OriginalMissing
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.inbox.companions import CompanionRules
from daemon.photo import CORRECTING, DELETED, DELETING, FILING, MISSING, RETRYING, UNDOING
from models.errors import FoodsortError
from models.filenames import unescape_name

_PAGE_ROWS = 500
_CHUNK_STEPS = 100
_IN_FLIGHT = (CORRECTING, DELETING, UNDOING, RETRYING)


class _Row(NamedTuple):
    """A row, and what identifies its photo while it is claimed."""

    facts: RowFacts
    run_id: str
    inbox_path: bytes


class RepairAction:
    """Compares the rows and the files of one root, and changes the rows. The caller holds the action lock."""

    def __init__(
        self,
        inventory: Inventory,
        claims: Claims,
        engine: sa.Engine,
        rules: CompanionRules,
        *,
        on_step: Callable[[Step], None] = lambda step: None,
        on_unreadable: Callable[[bytes, str], None] = lambda place, reason: None,
    ) -> None:
        """Prepares a comparison.

        Args:
            inventory: The files.
            claims: The open inbox.
            engine: The database.
            rules: Which files belong to a photo.
            on_step: Called with each step except `refresh`, after it was done.
            on_unreadable: Called with a place that cannot be read, and the reason.
        """
        self._inventory = inventory
        self._claims = claims
        self._engine = engine
        self._companions = CompanionRepair(inventory, engine, rules)
        self._on_step = on_step
        self._on_unreadable = on_unreadable
        self._found = Differences()

    def preview(self) -> Differences:
        """What `apply` would do."""
        for steps in self._planned():
            self._count(steps)
        self._found.companions = self._companions.preview()
        return self._found

    def apply(self, writer: RepairWriter) -> Differences:
        """Changes the rows. A killed call is completed by the next one, with the same end.

        Raises:
            FoodsortError: A folder is not there as a whole.
            OSError: A folder cannot be read.
        """
        for steps in self._planned():
            writer.write(steps)
            self._count(steps)
            failpoints.failpoint("repairing")
        self._found.companions = self._companions.apply()
        writer.write_event(self._found)
        return self._found

    def _count(self, steps: list[Step]) -> None:
        for step in steps:
            self._found.counts[step.action] += 1
            if step.action != "refresh":
                self._on_step(step)

    def _planned(self) -> Iterator[list[Step]]:
        """The steps, in lists of one action each."""
        with closing(Comparison()) as comparison:
            for file in self._companions.photos():
                comparison.add_file(file)
            for place in self._companions.places():
                comparison.add_in_flight(place)
            self._add_rows(comparison)
            self._read_files(comparison)
            if comparison.has_lost:
                self._search_inbox(comparison)
            for _, steps in groupby(comparison.steps(), key=lambda step: step.action):
                yield from _in_chunks(steps)
            self._found.unchanged = comparison.unchanged

    def _rows(self) -> Iterator[_Row]:
        """The rows whose photos should exist, by id."""
        p = photos.c
        columns = (p.id, p.state, p.path_bytes, p.identity, p.sha256, p.size_bytes, p.modified_at, p.error_kind)
        query = (
            sa.select(*columns, p.generation, p.inbox_path_bytes)
            .where(p.state != DELETED)
            .order_by(p.id)
            .limit(_PAGE_ROWS)
        )
        after = 0
        while True:
            with self._engine.connect() as connection:
                page = connection.execute(query.where(p.id > after)).all()
            if not page:
                return
            for *facts, error_kind, run_id, inbox_path in page:
                yield _Row(RowFacts._make([*facts, error_kind is not None]), run_id, inbox_path)
            after = page[-1].id

    def _add_rows(self, comparison: Comparison) -> None:
        claimed = self._claimed()
        for row, run_id, inbox_path in self._rows():
            if row.state in _IN_FLIGHT:
                comparison.add_in_flight(row.place)
                comparison.add_in_flight(unescape_name(run_id))  # the place that a corrected photo comes from
            elif row.identity in claimed or (row.state == FILING and (run_id, inbox_path) in claimed):
                comparison.add_in_flight(row.place)
            else:
                self._add_row(comparison, row)

    def _add_row(self, comparison: Comparison, row: RowFacts) -> None:
        try:
            file = comparison.file_at(row.place) or self._inventory.at(row.place)
        except OSError as error:
            self._leave_unreadable(row.place, f"cannot be looked for: {error.strerror}")
            comparison.add_in_flight(row.place)
            return
        if file is None and row.state != MISSING and (reason := self._inventory.away(row.place, row.identity)):
            raise FoodsortError(reason)
        comparison.add_row(row, file)

    def _claimed(self) -> set[str | tuple[str, bytes]]:
        """The photos in the claim folder, which the daemon's next start files: identities, and run ids with paths."""
        claimed: set[str | tuple[str, bytes]] = set()
        for run_id, path in self._claims.leftovers():
            claimed.add((os.fsdecode(run_id), path))
            folder = self._claims.claim_folder(run_id, path)
            if stat := self._claims.stat(dirfd.join(folder, dirfd.split(path)[1])):
                claimed.add(dirfd.identity(stat))
        return claimed

    def _read_files(self, comparison: Comparison) -> None:
        """Reads the files without a row."""
        for file in comparison.without_digest():
            digest = self._read(file)
            if digest is None:
                comparison.drop(file)
            else:
                comparison.set_digest(file, digest)

    def _search_inbox(self, comparison: Comparison) -> None:
        """Looks for photos that a person moved back to the inbox; the originals of copies were always there."""
        originals = OriginalRecorder(self._engine)
        for file in self._inventory.inbox_files():
            if comparison.may_be_lost(file.size_bytes) and (digest := self._read(file)):
                rows = originals.at_paths([self._inventory.path_in_folder(file)])
                if any(row.sha256 == digest for row in rows):
                    continue
                comparison.add_file(file)
                comparison.set_digest(file, digest)

    def _read(self, file: FileFacts) -> str | None:
        """The digest of a photo; None when the file is none or cannot be read."""
        try:
            digest = self._inventory.read(file)
        except OriginalMissing as problem:
            self._leave_unreadable(file.place, str(problem))
            return None
        self._found.ignored += digest is None
        return digest

    def _leave_unreadable(self, place: bytes, reason: str) -> None:
        self._found.unreadable += 1
        self._on_unreadable(place, reason)


def _in_chunks(steps: Iterable[Step]) -> Iterator[list[Step]]:
    remaining = iter(steps)
    while chunk := list(islice(remaining, _CHUNK_STEPS)):
        yield chunk
