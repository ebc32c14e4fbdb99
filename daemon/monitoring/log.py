"""Logging: to systemd's journal with levels and fields, else to stderr, for people on a terminal or for machines."""

import logging
import sys
from collections import deque
from contextlib import suppress
from functools import cache
from typing import Any, Literal

import structlog
from structlog.typing import EventDict

from daemon.monitoring.line_writer import LineWriter
from daemon.monitoring.status_document import ErrorStatus
from models import OWNER
from models.filenames import ESCAPE_ERRORS

LogFormat = Literal["auto", "json"]

recent: deque[ErrorStatus] = deque(maxlen=10)
"""The newest warnings and errors, newest first; a repeated one is kept once."""

_logfmt = structlog.processors.LogfmtRenderer()
FLUSH_S = 2.0
"""Longest time that the end of the process waits for lines to be written (s)."""
_JOURNAL_S = 1.0  # longest delay by a blocked journal before a line is dropped: no photo waits for a log


class _Structured(logging.Handler):
    """Passes lines of `models`, which uses plain logging, on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage())


class _Terminal:
    """Prints lines for a person. rich replaces stderr while it draws a bar, so that lines appear above it."""

    def msg(self, line: str) -> None:
        with suppress(OSError):  # the terminal was closed
            structlog.PrintLogger(sys.stderr).msg(line)

    debug = info = warning = error = critical = exception = msg


class _Stderr:
    """Writes lines to stderr. No photo waits for that."""

    def msg(self, line: str) -> None:
        _stderr_writer().write(f"{line}\n".encode(sys.stderr.encoding or "utf-8", ESCAPE_ERRORS))

    debug = info = warning = error = critical = exception = msg


@cache
def _stderr_writer() -> LineWriter:
    return LineWriter(2)


class _Journal:
    """Sends the fields of a line to journald."""

    def __init__(self) -> None:
        from logging_journald import JournaldTransport

        # Not connected: journald has another socket after a restart.
        self._transport = JournaldTransport(connected=False)
        self._transport.socket.settimeout(_JOURNAL_S)

    def msg(self, **fields: Any) -> None:
        with suppress(OSError):
            self._transport.send(fields.items())

    debug = info = warning = error = critical = exception = msg


def configure(*, terminal: bool, form: LogFormat = "auto") -> None:
    """Configures structlog for the process: lines go to the journal when stderr leads there, else to stderr.

    Args:
        terminal: Whether a person watches the progress bar; then only warnings and errors are logged.
        form: `json` makes each line one JSON object, and always logs to stderr.
    """
    journal = form == "auto" and _leads_to_journal()
    renderer: Any = structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"])
    if form == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    elif journal:
        renderer = _fields
    elif terminal:
        renderer = structlog.dev.ConsoleRenderer(pad_event_to=0)
    logger = _Journal() if journal else _Terminal() if terminal else _Stderr()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _remember,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if terminal else logging.INFO),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=False,
    )
    logging.getLogger(OWNER).handlers = [_Structured()]


def flush() -> None:
    """Waits until all lines are written, but not for long: nobody may read them."""
    _stderr_writer().flush(FLUSH_S)


def _leads_to_journal() -> bool:
    from logging_journald import check_journal_stream

    try:
        return bool(check_journal_stream())
    except (OSError, ValueError):  # stderr is closed, or another program set the variable
        return False


def _fields(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Returns the fields for journald: the message for people, the syslog priority, and the details one by one."""
    details = {key: value for key, value in line.items() if key not in {"at", "level", "event"}}
    message = f"{line['event']} {_logfmt(None, '', details.copy())}".rstrip()
    priority = {"critical": 2, "error": 3, "warning": 4, "info": 6}.get(line["level"], 7)
    fields = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": OWNER}
    return fields | {key.upper(): str(value) for key, value in details.items()}


def _remember(_logger: Any, _method: str, line: EventDict) -> EventDict:
    if line["level"] in {"warning", "error", "critical"}:
        message = ": ".join(str(line[key]) for key in ("event", "reason") if key in line)
        error: ErrorStatus = {
            "at": line["at"],
            "kind": line.get("kind", line["level"]),
            "path": line.get("photo"),
            "message": message,
        }
        if recent and {**recent[0], "at": error["at"]} == error:
            recent.popleft()
        recent.appendleft(error)
    return line
