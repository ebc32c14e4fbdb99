"""Log lines: structured ones for machines and journals; on a terminal warnings alone, beside the progress bar."""

import logging
import sys
from collections import deque
from typing import Any

import structlog
from structlog.typing import EventDict

from models import OWNER

recent: deque[dict[str, str | None]] = deque(maxlen=10)
"""The newest warnings and errors, newest first: at, kind, path, message. What came again stands there once."""


class _Structured(logging.Handler):
    """Passes on what `models` says; it leaves the choice of a format to whoever uses it."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage())


def configure(*, terminal: bool) -> None:
    """Sets up structlog for the process: lines go to stderr as it is when they are written."""
    renderer: Any = structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"])
    if terminal:
        renderer = structlog.dev.ConsoleRenderer(pad_event_to=0)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _remember,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if terminal else logging.INFO),
        # Not kept: rich swaps stderr while it draws a bar.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger(OWNER).handlers = [_Structured()]


def _remember(_logger: Any, _method: str, said: EventDict) -> EventDict:
    if said["level"] in {"warning", "error", "critical"}:
        message = ": ".join(str(said[key]) for key in ("event", "reason") if key in said)
        what = {"kind": said.get("kind", said["level"]), "path": said.get("photo"), "message": message}
        if recent and recent[0].items() >= what.items():
            recent.popleft()
        recent.appendleft({"at": said["at"], **what})
    return said
