"""Says what a person should know: in the log, in the table `events`, and through the log in the status."""

import structlog

from daemon.database.recorder import Recorder
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()


class EventLog:
    """Called with a kind for programs, a message for people and, where it is of one file, its path in the inbox."""

    def __init__(self, results: Recorder, patience: Retrier) -> None:
        self._results, self._patience = results, patience

    def __call__(self, kind: str, message: str, path: bytes | None = None) -> None:
        """Waits until the database takes it. Raises GivenUp."""
        of = {} if path is None else {"photo": escape_name(path)}
        log.warning(message, kind=kind, **of)
        self._patience(self._results.event, kind, path, message)
