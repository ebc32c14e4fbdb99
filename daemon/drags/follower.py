"""Lets rows follow the photos that a person moved by hand: looks at places, plans and writes."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from daemon.actions.context import Actions
from daemon.actions.facts import FileFacts, RowFacts
from daemon.actions.inventory import Inventory
from daemon.actions.repair_writer import RepairWriter
from daemon.destinations.originals import OriginalMissing
from daemon.drags.companions import CompanionFinder
from daemon.drags.finder import RowFinder
from daemon.drags.plan import SORTED_FOLDERS, Facts, Matches, Move, label_of, match_copies, match_files
from daemon.drags.presence import FolderPresence
from daemon.drags.strangers import Strangers
from daemon.drags.writer import Drag, DragWriter
from daemon.fs import filesystem
from daemon.inbox.ignore import IgnoreRules
from daemon.photo import MISSING, UNREAD_SHA256
from daemon.retry import is_transient
from daemon.settings import Settings

CHUNK_PLACES = 200
"""Most places in one call of `examine`: as many rows are in one transaction."""


@dataclass
class Examined:
    """The result of a look at places.

    Attributes:
        drags: Photos that a person moved; their rows have followed.
        lost: Photos that were removed; their rows say so.
        waiting: Places whose photo is gone and may be found elsewhere yet.
        again: Places that could not be read for the moment, or changed meanwhile.
    """

    drags: list[Drag] = field(default_factory=list)
    lost: list[RowFacts] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    again: list[bytes] = field(default_factory=list)


class DragFollower:
    """Examines places in the folders of sorted photos. The caller holds the action lock. Used by one thread.

    Attributes:
        inventory: The files.
        rows: The rows.
        strangers: Files without a row.
        presence: Which folders are there.
    """

    def __init__(self, root: Path, settings: Settings, actions: Actions, engine: sa.Engine) -> None:
        self.inventory = Inventory(root, settings, actions.claims)
        self.rows = RowFinder(engine)
        self.strangers = Strangers()
        self.presence = FolderPresence(self.inventory)
        self._ignored = IgnoreRules(settings.watch.ignore)
        self._companions = CompanionFinder(self.inventory, engine)
        self._writer = DragWriter(RepairWriter(self.inventory, engine), engine, actions.companions)

    def examine(self, places: Collection[bytes], lost: Collection[bytes] = ()) -> Examined:
        """Looks at places where something has changed, and lets rows follow.

        Args:
            places: At most CHUNK_PLACES.
            lost: Those of them that are not waited for any longer: their photo counts as removed.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The database is not available.
        """
        result = Examined()
        facts = self._facts(places, result)
        found = match_files(facts)
        if verified := self._verified(found.moves):
            files = [verified.get(file.place, file) for file in facts.files]
            found = match_files(replace(facts, files=files))
        self._remember(found)
        moves = found.moves + self._copies(found, result)
        drags = self._labelled(moves)
        changes = self._companions.changes(moves) if moves else {}
        result.drags = self._writer.write(drags, changes) if drags else []
        for drag in result.drags:
            self.strangers.discard(drag.file.place)
        moved = {move.row.id for move in moves}
        targets = {move.file.place for move in moves}
        gone = [row for row in found.lost if row.id not in moved]
        removed = [
            row for row in gone if (row.place in lost or row.place in targets) and not self.presence.is_away(row)
        ]
        result.lost = self._writer.lose(removed) if removed else []
        result.waiting = [row.place for row in gone if row.place not in lost and row.place not in targets]
        return result

    def is_sorted_place(self, place: bytes) -> bool:
        """Whether a file at a place may be a sorted photo: it is in one of the folders and its name is not ignored."""
        _, path = self.inventory.destinations.split(place)
        return self.inventory.folder_of(place) in SORTED_FOLDERS and not self._ignored.path(path)

    def _facts(self, places: Collection[bytes], result: Examined) -> Facts:
        """Looks at places first and reads the rows after that: a row names a place before its photo comes there."""
        at = self._look(filter(self.is_sorted_place, places), result)
        files = [file for file in at.values() if file is not None]
        same_file = self.rows.by_identity({file.identity for file in files})
        settled = {row.place for row in same_file if (file := at.get(row.place)) and file.identity == row.identity}
        same_place = self.rows.by_place(at.keys() - settled)
        elsewhere = {row.place for row in (*same_file, *same_place)} - at.keys()
        at |= self._look(elsewhere, Examined())
        # A place that cannot be read may still have its photo.
        same_file, same_place = ([row for row in rows if row.place in at] for rows in (same_file, same_place))
        return Facts(files, same_file, same_place, at)

    def _look(self, places: Iterable[bytes], result: Examined) -> dict[bytes, FileFacts | None]:
        at = {}
        for place in places:
            try:
                at[place] = self.inventory.at(place)
            except OSError as error:
                if is_transient(error):
                    result.again.append(place)
        return at

    def _verified(self, moves: list[Move]) -> dict[bytes, FileFacts]:
        """The files of moves on filesystems where inodes do not last, with their digests, by their places."""
        verified = {}
        for _, file in moves:
            with suppress(OSError, OriginalMissing), self.inventory.open(file) as stream:
                if not filesystem.has_lasting_inodes(stream.fileno()):
                    verified[file.place] = file._replace(sha256=self.inventory.digest(file))
        return verified

    def _remember(self, found: Matches) -> None:
        for move in found.moves:
            self.strangers.discard(move.file.place)
        for file in found.strangers:
            self.strangers.add(file.place, file.size_bytes)

    def _copies(self, found: Matches, result: Examined) -> list[Move]:
        """Finds photos that were copied and removed: reads files only if a photo of their size is gone."""
        lost_sizes = {row.size_bytes for row in found.lost}
        sizes = lost_sizes | self.rows.missing_sizes({file.size_bytes for file in found.strangers})
        new = {file.place: file for file in found.strangers if file.size_bytes in sizes}
        known = (place for place in self.strangers.of_size(lost_sizes) if place not in new)
        known_files = self._look(islice(known, CHUNK_PLACES), result)
        for place, file in known_files.items():
            if file is None:
                self.strangers.discard(place)
        candidates = [*new.values(), *filter(None, known_files.values())]
        files = [digested for file in candidates if (digested := self._digested(file, result))]
        lost = {row.id: row for row in found.lost}
        moved = {move.row.id for move in found.moves}
        rows = self.rows.by_digest({file.sha256 for file in files if file.sha256})
        return match_copies([row for row in rows if row.id in lost or _is_missing(row, moved)], files)

    def _digested(self, file: FileFacts, result: Examined) -> FileFacts | None:
        """Adds the digest of a file that stands still; None if it cannot be read, or is too large for that."""
        with suppress(OSError, OriginalMissing):
            digest = self.inventory.digest(file)
            if self.inventory.at(file.place) == file._replace(sha256=None):
                return file._replace(sha256=digest) if digest != UNREAD_SHA256 else None
            result.again.append(file.place)
        return None

    def _labelled(self, moves: list[Move]) -> list[Drag]:
        """Adds the labels, and the digests of photos that were edited before they moved."""
        labels = self.rows.labels([move.row.id for move in moves])
        folder_of = self.inventory.folder_of
        drags = []
        for row, file in moves:
            label = label_of(folder_of(row.place), file.folder, labels.get(row.id))
            drags.append(Drag(row, self._as_recorded(row, file), label))
        return drags

    def _as_recorded(self, row: RowFacts, file: FileFacts) -> FileFacts:
        if file.sha256 is not None or (row.size_bytes, row.modified_at) == (file.size_bytes, file.modified_at):
            return file
        with suppress(OSError, OriginalMissing):
            return file._replace(sha256=self.inventory.digest(file))
        return file


def _is_missing(row: RowFacts, moved: Collection[int]) -> bool:
    return row.state == MISSING and row.id not in moved
