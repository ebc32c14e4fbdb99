"""Events that a person should know about: a log line, also shown by `foodsort status`, and a row of `events`."""

import structlog

from daemon.database.recorder import Recorder
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()


class EventLog:
    """Logs and records events."""

    def __init__(self, recorder: Recorder, retrier: Retrier) -> None:
        self._recorder = recorder
        self._retrier = retrier

    def record(self, kind: str, message: str, path: bytes | None = None) -> None:
        """Logs an event and records it, and waits as long as the database is unavailable.

        Args:
            kind: Kind of the event, for programs.
            message: Description of the event, for people.
            path: Path in the inbox of the file that it is about.

        Raises:
            RetryAborted: The daemon stops before the event is recorded.
        """
        fields = {} if path is None else {"photo": escape_name(path)}
        log.warning(message, kind=kind, **fields)
        self._retrier(self._recorder.event, kind, path, message)
