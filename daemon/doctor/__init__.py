"""`foodsort doctor`: checks for everything that could keep the daemon from its work, each with a fix."""

from collections.abc import Iterator
from pathlib import Path

from daemon.doctor import database, events, folders, model
from daemon.doctor.finding import CheckedRoot, Finding
from daemon.inbox.lock import holder
from daemon.settings import Settings


def examine(root: Path, settings: Settings, *, quick: bool) -> Iterator[Finding]:
    """Runs all checks in order.

    Args:
        root: The root folder.
        settings: Its settings.
        quick: Leave out checks that take more than a moment: running the model, reading the whole database.
    """
    checked = CheckedRoot(root.absolute(), settings)
    yield Finding("settings", "ok", "all settings are valid")
    yield _daemon(checked)
    yield from folders.check(checked)
    yield from events.check(checked)
    yield from database.check(checked, quick=quick)
    yield from model.check(checked, quick=quick)


def as_json(finding: Finding) -> dict[str, str]:
    """Keys check, level, message."""
    return finding._asdict()


def _daemon(root: CheckedRoot) -> Finding:
    try:
        daemon = holder(root.inbox)
    except OSError:
        daemon = None
    return Finding("daemon", "ok", f"{daemon} sorts the inbox" if daemon else "no daemon is running")
