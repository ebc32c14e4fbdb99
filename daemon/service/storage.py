"""What the daemon has on disks: inbox, destination folders and database, opened together and closed together."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
import structlog

from daemon.actions.context import Actions
from daemon.database import addresses, connections, integrity
from daemon.database.event_log import EventLog
from daemon.database.lookup import Lookup
from daemon.database.recorder import ReadOnlyRecorder, Recorder
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.handle import InboxHandle
from daemon.retry import P, R, Retrier
from daemon.settings import Settings
from models.bundle import Bundle

log = structlog.get_logger()


class Storage:
    """The disks' part of one root. A dry run touches none of it."""

    def __init__(self, root: Path, settings: Settings, patience: Retrier, *, once: bool, dry_run: bool) -> None:
        """Makes the folders and the database that are missing, and moves a damaged database aside.

        once: trouble is raised at once, since nothing is begun yet that would have to be finished; else it is waited out.
        Raises FoodsortError, OSError, and GivenUp when the daemon is stopped meanwhile.
        """
        self._patience, self._dry_run = patience, dry_run
        self._attempt = _at_once if once else patience.retry_transient
        self._address = addresses.url(root, settings.database.url)
        with ExitStack() as opened:
            inbox = root.absolute() / settings.folders.inbox
            if not dry_run:
                self._attempt(inbox.mkdir, parents=True, exist_ok=True)
            self.hold = self._attempt(InboxHandle, inbox, lock=not dry_run)
            opened.callback(self.hold.close)
            self.destinations = DestinationFolders(root, settings.folders, self.hold.claims)
            damaged = None if dry_run else self._attempt(integrity.mend, self._address)
            engine = self._asked() if dry_run else self._attempt(connections.connect, self._address)
            self.results = ReadOnlyRecorder(engine) if dry_run else Recorder(engine)
            self.lookup = Lookup(engine)
            opened.callback(self.results.close)
            self.movers = Actions.of(root, settings.folders, self.hold.claims, engine)
            self.tell = EventLog(self.results, patience)
            if damaged:
                log.error(damaged, kind="damaged")
                self._attempt(self.results.event, "damaged", None, damaged)
            if not dry_run:
                self._attempt(self.destinations.make_folders)
            self._opened = opened.pop_all()

    def use_model(self, bundle: Bundle) -> None:
        """Names the model that the rows from now on come from. Raises as the constructor does."""
        self._attempt(self.results.use_model, bundle)

    def open_database_again(self, bundle: Bundle) -> None:
        """After the inbox was away: the database may lie on what was unmounted, and be another file now. Raises GivenUp."""
        if not self._dry_run:
            self.results.close()
            self._patience(connections.connect, self._address).dispose()
            self._patience(self.results.use_model, bundle)

    def _asked(self) -> sa.Engine:
        """The database for a dry run; an empty one in memory where there is none yet."""
        path = addresses.file_of(self._address)
        if path is not None and not path.exists():
            return connections.connect(addresses.IN_MEMORY)
        return connections.reading(self._address)

    def close(self) -> None:
        """Closes all of it."""
        self._opened.close()


def _at_once(work: Callable[P, R], *words: P.args, **more: P.kwargs) -> R:
    return work(*words, **more)
