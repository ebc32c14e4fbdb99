"""Log lines: to systemd's journal with levels and fields; else to stderr, for people on a terminal, for machines elsewhere."""

import logging
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Literal

import structlog
from structlog.typing import EventDict

from models import OWNER

LogFormat = Literal["auto", "json"]

recent: deque[dict[str, str | None]] = deque(maxlen=10)
"""The newest warnings and errors, newest first: at, kind, path, message. What came again stands there once."""

_logfmt = structlog.processors.LogfmtRenderer()
_JOURNAL_S = 1.0  # that a journal which takes nothing holds a line up, before it is dropped: no photo waits for a log


class _Structured(logging.Handler):
    """Passes on what `models` says; it leaves the choice of a format to whoever uses it."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage())


class _Journal:
    """Takes the fields of a line from structlog and hands them to journald."""

    def __init__(self) -> None:
        from logging_journald import JournaldTransport

        # By path each time: the socket is another one after journald was started anew.
        self._transport = JournaldTransport(connected=False)
        self._transport.socket.settimeout(_JOURNAL_S)

    def msg(self, **fields: Any) -> None:
        with suppress(OSError):
            self._transport.send(fields.items())

    debug = info = warning = error = critical = exception = msg


def configure(*, terminal: bool, form: LogFormat = "auto") -> None:
    """Sets up structlog for the process: lines go to the journal that stderr leads to, or to stderr as it is then.

    terminal: a person looks on, who is told of warnings alone, beside the progress bar.
    form: `json` has each line as one JSON object, wherever it goes.
    """
    journal = form == "auto" and _leads_to_journal()
    renderer: Any = structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"])
    if form == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    elif journal:
        renderer = _fields
    elif terminal:
        renderer = structlog.dev.ConsoleRenderer(pad_event_to=0)
    to_journal = _Journal() if journal else None
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _remember,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if terminal else logging.INFO),
        # Not kept: rich swaps stderr while it draws a bar.
        logger_factory=lambda *_: to_journal or structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger(OWNER).handlers = [_Structured()]


def _leads_to_journal() -> bool:
    from logging_journald import check_journal_stream

    try:
        return bool(check_journal_stream())
    except (OSError, ValueError):  # stderr is closed, or the variable is not systemd's
        return False


def _fields(_logger: Any, _method: str, said: EventDict) -> EventDict:
    """What journald is sent: the line for people, its priority (syslog's), and each of its parts as a field of its own."""
    level, parts = said["level"], {key: value for key, value in said.items() if key not in {"at", "level", "event"}}
    message = f"{said['event']} {_logfmt(None, '', parts.copy())}".rstrip()
    priority = {"critical": 2, "error": 3, "warning": 4, "info": 6}.get(level, 7)
    fields = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": OWNER}
    return fields | {key.upper(): str(value) for key, value in parts.items()}


def _remember(_logger: Any, _method: str, said: EventDict) -> EventDict:
    if said["level"] in {"warning", "error", "critical"}:
        message = ": ".join(str(said[key]) for key in ("event", "reason") if key in said)
        what = {"kind": said.get("kind", said["level"]), "path": said.get("photo"), "message": message}
        if recent and recent[0].items() >= what.items():
            recent.popleft()
        recent.appendleft({"at": said["at"], **what})
    return said
