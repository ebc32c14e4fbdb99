"""The one way in which actions move photos: undo, retry, correct and delete.

The row names the move before anything happens. Then the photo gets a private name in its folder, which no other program
uses, and is looked at: a file that came to its place meanwhile goes back. Then it moves to its target, or is removed. At
last its folders are synced, and the row is finished. A move that was interrupted between any two steps is continued.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import sqlalchemy as sa

from daemon import failpoints
from daemon.actions.locate import CannotMove, PhotoLocator, SourceChanged, file_columns, file_of
from daemon.actions.result import ActionResult
from daemon.actions.route import PlannedMove, Route
from daemon.database.companions import mark_following
from daemon.database.rows import path_columns, update_if_state
from daemon.database.schema import photos
from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.recovery_plan import Presence, plan_action
from daemon.fs import dirfd, filesystem, names
from daemon.fs.cross_device import FileMover
from daemon.fs.entry import Entry
from daemon.fs.rename import rename
from daemon.photo import MISSING
from daemon.queries.photo_rows import Photo, columns_of
from daemon.retry import retry_briefly
from models.filenames import escape_name


class Unfinished(CannotMove):
    """Raised when a photo has moved and its folder cannot be synced; its row names the move until recovery."""


class Journal:
    """Carries out the moves of one action and records their end. The caller holds the action lock."""

    def __init__(
        self, destinations: DestinationFolders, engine: sa.Engine, route: Route, table: sa.Table = photos
    ) -> None:
        """Opens the journal. table: of the files that the action moves, `photos` or `companions`."""
        self._table = table
        self._destinations = destinations
        self._locator = PhotoLocator(destinations, engine)
        self._engine = engine
        self._route = route
        self._files = FileMover()

    def begin(
        self, connection: sa.Connection, move: PlannedMove, guard: "sa.ColumnElement[bool] | None" = None
    ) -> bool:
        """Writes a move to the photo's row.

        Args:
            connection: The connection, in a transaction.
            move: The move.
            guard: What must hold for the row, besides its state.

        Returns:
            False if the guard does not hold, or another process has changed the row's state; then nothing is written.
        """
        assert move.original is not None
        moving = self._route.transition.moving
        columns = file_of(move.photo) | self._route.intent(move, move.target)
        states = (move.original.state,)
        begun = update_if_state(
            connection, move.photo.id, states, table=self._table, guard=guard, state=moving, **columns
        )
        if begun and self._table is photos:
            mark_following(connection, move.photo.id, move.photo.path)
        return begun

    def carry_out(self, moves: Iterable[PlannedMove]) -> list[ActionResult]:
        """Moves photos without overwriting and records their places; a photo that cannot be moved stays as it was."""
        arrived = []
        failed = []
        for move in moves:
            try:
                arrived.append(self._carry_out(move))
                failpoints.failpoint("arrived")
            except CannotMove as problem:
                failed.append(ActionResult(move.photo, problem=str(problem)))
            except OSError as error:
                verb = "deleted" if move.target is None else "moved"
                failed.append(ActionResult(move.photo, problem=f"cannot be {verb}: {error.strerror}"))
        return failed + self._finish(arrived)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed."""
        moves = self._unfinished()
        with suppress(OSError):  # what stays is no photo, and the next recovery removes it
            self._destinations.sweep(move.target or move.photo.path for move in moves)
        for move in moves:
            try:
                step = self._plan_recovery(move)
            except OSError as error:
                yield ActionResult(move.photo, problem=f"cannot be looked for: {error.strerror}")
                continue
            if step == "move":
                yield from self.carry_out([move])
            elif step == "missing" and move.target is not None:
                yield from self._record_gone(move)
            else:
                yield from self._finish([move])

    def _plan_recovery(self, move: PlannedMove) -> str:
        """Plans the recovery of a move; removes the private name of a photo that has arrived. Raises OSError."""
        with self._destinations.open_existing(move.photo.path) as (folder, _):
            private = None if folder is None else Entry(folder, _private_name(move.photo))
            is_private = private is not None and private.exists()
            step = plan_action(
                is_private=is_private,
                at_source=self._locator.is_at_place(move.photo, unchanged=move.target is None),
                at_target=self._presence(move, is_private=is_private),
            )
            if step == "drop" and private is not None:
                private.remove()
                dirfd.sync(private.folder)
        return step

    def _carry_out(self, move: PlannedMove) -> PlannedMove:
        """Moves one photo; returns the move with the target that it reached. Raises CannotMove, OSError."""
        with self._destinations.open_folder(move.photo.path) as (folder, name):
            source = Entry(folder, name)
            private = Entry(folder, _private_name(move.photo))
            explanation = b""
            try:
                self._take(source, private, move)
                failpoints.failpoint("taken")
                if move.photo.error_kind:
                    explanation = sidecar.take(folder, name, move.photo.sha256)
                    failpoints.failpoint("unexplained")
                move = self._place(private, move)
            except OSError:
                self._abort(private, source, move, explanation)
                raise
            _sync(folder)
        return move

    def _take(self, source: Entry, private: Entry, move: PlannedMove) -> None:
        """Gives a photo its private name; gives the name back to another file. Raises SourceChanged, OSError."""
        retry_briefly(_rename_to_private, source, private)
        if _is_photo(private, move):
            return
        self._abort(private, source, move, b"")
        raise SourceChanged("is no longer the photo that was put there")

    def _place(self, private: Entry, move: PlannedMove) -> PlannedMove:
        """Moves a photo from its private name to the first free place, or removes it. Raises CannotMove, OSError."""
        if move.target is None:
            retry_briefly(private.remove)
            return move
        place = names.use_first_free(self._route.places(move), partial(self._place_at, private, move))
        return move._replace(target=place)

    def _place_at(self, private: Entry, move: PlannedMove, place: bytes) -> None:
        if place != move.target:
            self._update(move.photo, **self._route.intent(move, place))
        retry_briefly(self._move_file, private, move, place)
        with self._destinations.open_existing(place) as (folder, _):
            if folder is not None:
                _sync(folder)

    def _move_file(self, private: Entry, move: PlannedMove, place: bytes) -> None:
        record_copy = partial(self._record_copy, move, place)
        with self._destinations.open_folder(place, create=True) as (folder, name):
            self._files.move(private, Entry(folder, name), move.photo.id, private.sha256, record_copy)

    def _abort(self, private: Entry, source: Entry, move: PlannedMove, explanation: bytes) -> None:
        """Restores the photo, its sidecar and its row, unless the photo has arrived. Recovery does what fails here."""
        try:
            if self._presence(self._reload(move), is_private=True) == "certain":
                return
            name = source.name
            if private.exists():
                free = names.candidates(source.name, lambda taken: source._replace(name=taken).exists())
                name = names.use_first_free(free, lambda free: rename(private, source._replace(name=free)))
            if explanation:
                sidecar.put_back(source.folder, name, move.photo.sha256, explanation)
        except OSError:
            return
        original = move.original
        if original is None:
            return
        columns = file_of(original) | path_columns(dirfd.join(os.path.dirname(original.path), name))
        columns |= {"inbox_path_bytes": original.inbox_path, "inbox_path": escape_name(original.inbox_path)}
        with self._engine.begin() as connection:
            moving = (self._route.transition.moving,)
            updated = update_if_state(
                connection, original.id, moving, table=self._table, state=original.state, **columns
            )
            for statement in move.revert if updated else ():
                connection.execute(statement)

    def _presence(self, move: PlannedMove, *, is_private: bool) -> Presence:
        """Whether a photo is at its target. Raises OSError."""
        if move.target is None:
            return "no"
        with self._destinations.open_existing(move.target) as (folder, name):
            target = None if folder is None else Entry(folder, name)
            stat = None if target is None else target.find()
            if target is None or stat is None or not dirfd.is_regular(stat):
                return "no"
            if dirfd.identity(stat) == move.photo.identity:
                return "certain"
            if not is_private and move.photo.looks_like(stat):
                return "probable"
            if stat.st_size != move.photo.size_bytes or target.sha256() != move.photo.sha256:
                return "no"
            return "certain" if is_private and self._is_on_another_device(move, stat) else "probable"

    def _is_on_another_device(self, move: PlannedMove, stat: os.stat_result) -> bool:
        with self._destinations.open_folder(move.photo.path) as (folder, _):
            return os.fstat(folder).st_dev != stat.st_dev

    def _unfinished(self) -> list[PlannedMove]:
        """The moves that rows name."""
        return self._read(self._table.c.state == self._route.transition.moving)

    def _reload(self, move: PlannedMove) -> PlannedMove:
        """The move as the photo's row names it now."""
        return next(iter(self._read(self._table.c.id == move.photo.id)), move)

    def _read(self, condition: "sa.ColumnElement[bool]") -> list[PlannedMove]:
        t = self._table
        query = sa.select(t.c.generation, *columns_of(t)).where(condition).order_by(t.c.id)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [self._route.of_row(Photo._make(columns), generation) for generation, *columns in rows]

    def _finish(self, moves: list[PlannedMove]) -> list[ActionResult]:
        states = self._route.transition
        results = []
        with self._engine.begin() as connection:
            for move in moves:
                columns = self._arrived_file(move) | self._route.outcome(move)
                update_if_state(
                    connection, move.photo.id, (states.moving,), table=self._table, state=states.done, **columns
                )
                results.append(ActionResult(move.photo, columns.get("path_bytes", move.photo.path)))
        return results

    def _arrived_file(self, move: PlannedMove) -> dict[str, Any]:
        """The columns for a photo's file at its target: where inodes do not last, a move has changed them."""
        if move.target is None:
            return {}
        with suppress(OSError), self._destinations.open_existing(move.target) as (folder, name):
            stat = None if folder is None else Entry(folder, name).find()
            if stat is not None and dirfd.is_regular(stat) and stat.st_size == move.photo.size_bytes:
                return file_columns(stat)
        return {}

    def _record_gone(self, move: PlannedMove) -> Iterator[ActionResult]:
        state = self._route.transition.gone
        if self._update(move.photo, state=state):
            problem = "was taken away by another program while it was being moved" if state == MISSING else ""
            yield ActionResult(move.photo, move.photo.path, problem)

    def _record_copy(self, move: PlannedMove, place: bytes, stat: os.stat_result) -> None:
        self._update(move.photo, **(file_columns(stat) | self._route.intent(move, place)))

    def _update(self, photo: Photo, **values: Any) -> bool:
        with self._engine.begin() as connection:
            moving = (self._route.transition.moving,)
            return update_if_state(connection, photo.id, moving, table=self._table, **values)


def _private_name(photo: Photo) -> bytes:
    """The hidden name of a photo on the way; recovery finds it by the photo's row."""
    return b".foodsort-%d-%s.moving" % (photo.id, photo.sha256[:16].encode())


def _rename_to_private(source: Entry, private: Entry) -> None:
    """Renames a photo to its private name, unless an earlier attempt has done so."""
    stat = private.find()
    if stat is None:
        rename(source, private)
    elif source.is_same_file(stat):  # that attempt linked it
        source.remove()


def _is_photo(private: Entry, move: PlannedMove) -> bool:
    """Whether a file is the photo that was at its place when the action began."""
    photo = move.photo
    stat = private.stat()
    if not dirfd.is_regular(stat):
        return False
    same = dirfd.identity(stat) == photo.identity or not filesystem.has_lasting_inodes(private.folder)
    # A person may have repaired a failed photo in its place before a recovery. Then it is not deleted.
    is_recovery = move.original is None
    is_repaired = is_recovery and photo.error_kind is not None and move.target is not None
    return (same and (photo.looks_like(stat) or is_repaired)) or private.sha256() == photo.sha256


def _sync(folder: int) -> None:
    """Syncs a folder after a move. Raises Unfinished."""
    try:
        retry_briefly(dirfd.sync, folder)
    except OSError as error:
        raise Unfinished(
            f"was moved, but the disk reports an error ({error.strerror}); foodsort completes this at its next action"
        ) from error
