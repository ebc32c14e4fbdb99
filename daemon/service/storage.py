"""Inbox, destination folders and database of a root, opened and closed together."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from daemon.actions.context import ActionBusy, Actions
from daemon.actions.result import ActionResult
from daemon.database import addresses, connections, integrity, root_id
from daemon.database.companions import CompanionRecorder
from daemon.database.event_log import EventLog
from daemon.database.in_flight import InFlight
from daemon.database.keeper import DatabaseKeeper
from daemon.database.lookup import Lookup
from daemon.database.originals import OriginalRecorder
from daemon.database.recorder import ReadOnlyRecorder, Recorder
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.presence import has_left
from daemon.inbox import sync_marks
from daemon.inbox.handle import InboxHandle
from daemon.retry import P, R, Retrier
from daemon.settings import Settings
from models.bundle import Bundle
from models.errors import FoodsortError
from models.filenames import escape_control_characters, escape_name

log = structlog.get_logger()

CHECK_EVERY_S = 1.0
"""Longest time between two looks at the database's file (s); the main loop never sleeps longer."""


class Storage:
    """The open files of one root. A dry run changes none of them.

    Attributes:
        handle: The inbox.
        claims: Claim folder of the inbox.
        destinations: Destination folders.
        engine: The database.
        recorder: Writes rows.
        lookup: Reads rows.
        companions: Reads and writes rows of companions.
        originals: Reads and writes rows of originals.
        actions: Actions on sorted photos, for recovery.
        event_log: Records events in log and database.
    """

    def __init__(self, root: Path, settings: Settings, retrier: Retrier, *, once: bool, dry_run: bool) -> None:
        """Creates missing folders and a missing database.

        Args:
            root: The root.
            settings: Its settings.
            retrier: Retries while the disk or the database has a temporary problem.
            once: Whether a temporary problem is raised immediately, because no photo is in flight yet.
            dry_run: Whether nothing may change.

        Raises:
            FoodsortError: Another daemon uses the inbox, or the database cannot be used: it is damaged, for instance, or
                belongs to another root.
            OSError: A folder cannot be created or opened.
            RetryAborted: The daemon stops during a retry.
        """
        self._root = root
        self._retrier = retrier
        self._dry_run = dry_run
        self._attempt = _call if once else retrier.retry_transient
        self._address = addresses.database_url(root, settings.database.url)
        with ExitStack() as opened:
            inbox = root.absolute() / settings.folders.inbox
            if not dry_run:
                self._attempt(inbox.mkdir, parents=True, exist_ok=True)
            max_copy_bytes = settings.images.max_bytes if settings.watch.take == "copy" else None
            self.handle = self._attempt(InboxHandle, inbox, lock=not dry_run, max_copy_bytes=max_copy_bytes)
            opened.callback(self.handle.close)
            self.claims = self.handle.claims
            self.destinations = DestinationFolders(root, settings.folders, self.claims)
            self.engine = engine = self._connect_read_only() if dry_run else self._connect()
            self.recorder = ReadOnlyRecorder(engine) if dry_run else Recorder(engine)
            opened.callback(self.recorder.close)
            self._keeper = None if dry_run else self._attempt(DatabaseKeeper, engine, self._admit, self._note_progress)
            if self._keeper:
                opened.callback(self._keeper.close)
                opened.callback(self.recorder.close)
            self.lookup = Lookup(engine, partial(has_left, self.destinations))
            self.actions = Actions.of(root, settings.folders, self.claims, engine)
            self.companions = CompanionRecorder(engine)
            self.originals = OriginalRecorder(engine, dry_run=dry_run)
            self.event_log = EventLog(self.recorder, retrier)
            if not dry_run:
                if self._attempt(root_id.claim, root, engine):
                    self._attempt(self.recorder.event, *self._report_new())
                for problem in self._attempt(self.destinations.make_folders):
                    self.event_log.record("refused", problem)
                mark = None if self.claims.copies else sync_marks.find(inbox)
                if mark is not None:
                    self.event_log.record("sync", escape_control_characters(sync_marks.warning(mark)))
            self._opened = opened.pop_all()

    def use_model(self, bundle: Bundle) -> None:
        """Names the model of the rows from now on. Raises as the constructor does."""
        self._attempt(self.recorder.use_model, bundle)

    def reopen_database(self) -> None:
        """Opens the database again after the inbox was away: a mount may have replaced its file.

        Raises:
            DatabaseError: The database belongs to another root, for instance.
            RetryAborted: The daemon stops during a retry.
        """
        if self._keeper:
            self._retrier(self._keeper.reopen)

    def check_database(self) -> None:
        """Mends the database's file if it was removed, renamed or replaced, and records that. Raises RetryAborted."""
        if self._keeper is None:
            return
        try:
            self._keeper.check()
        except (FoodsortError, OSError, sqlite3.Error) as error:
            self._retrier.note(self._keeper, str(error), CHECK_EVERY_S)
        else:
            self._retrier.clear(self._keeper)
        for kind, message in self._keeper.take_events():
            self._retrier(self.recorder.event, kind, None, message)

    def recover_actions(self, on_recovered: Callable[[str, ActionResult], None] = lambda action, result: None) -> None:
        """Completes the actions of a process that was killed.

        Another holder of the lock is alive, has completed them already, and completes its own.
        """
        with suppress(ActionBusy), self.actions.exclusive(timeout_s=0, on_recovered=on_recovered):
            pass

    def _connect(self) -> sa.Engine:
        self._attempt(integrity.refuse_damaged, self._address)
        return self._attempt(connections.connect, self._address)

    def _admit(self, engine: sa.Engine, rows: InFlight) -> None:
        """Prepares a database that takes the place of the one in use. Raises DatabaseError, OSError."""
        if root_id.claim(self._root, engine):
            Recorder(engine).event(*self._report_new())
        self.recorder.move_to(engine, rows)

    def _report_new(self) -> tuple[str, None, str]:
        """Logs that the database is new to a root that is not; returns the event."""
        # Rows and log lines are UTF-8, a path need not be.
        database = escape_name(addresses.display(self._address))
        message = (
            f"the database {database} is empty, and this root had another one before."
            " `foodsort repair` adds rows for the photos that were sorted before"
        )
        log.warning(message, kind="database_new")
        return "database_new", None, message

    def _note_progress(self, message: str) -> None:
        self._retrier.note(self._keeper, message, CHECK_EVERY_S)

    def _connect_read_only(self) -> sa.Engine:
        """The database for a dry run; an empty one in memory when the file does not exist."""
        path = addresses.sqlite_file(self._address)
        if path is not None and not path.exists():
            return connections.connect(addresses.IN_MEMORY)
        engine = connections.connect_to_read(self._address)
        try:
            root_id.check(self._root, engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def close(self) -> None:
        """Closes all files."""
        self._opened.close()


def _call(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return function(*args, **kwargs)
