"""A daemon in this process, with parts replaced."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import Settings


@contextmanager
def replaced(target: Any, name: str, replacement: Any) -> Iterator[None]:
    """Replaces an attribute of a module or class during the block."""
    original = getattr(target, name)
    setattr(target, name, replacement)
    try:
        yield
    finally:
        setattr(target, name, original)


@contextmanager
def started_service(root: Path, settings: Settings, *, once: bool) -> Iterator[Service]:
    """Starts a daemon on a root, ready for `run`; its progress and its log on stderr are discarded."""
    with _discarded_stderr(), Progress(Console(quiet=True)) as progress:
        service = Service(root, settings, progress, once=once, dry_run=False)
        service.start()
        yield service


@contextmanager
def _discarded_stderr() -> Iterator[None]:
    """Discards what is written to the descriptor of stderr: the log does not use `sys.stderr`."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("w") as discarded:
            os.dup2(discarded.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
