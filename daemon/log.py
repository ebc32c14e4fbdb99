"""Log lines: structured ones for machines and journals; on a terminal warnings alone, beside the progress bar."""

import logging
import sys
from typing import Any

import structlog

from models import OWNER


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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if terminal else logging.INFO),
        # Not kept: rich swaps stderr while it draws a bar.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger(OWNER).handlers = [_Structured()]
