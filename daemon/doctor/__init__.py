"""`foodsort doctor`: checks for everything that could keep the daemon from its work, each with a fix."""

from collections.abc import Iterator
from pathlib import Path

from daemon.doctor import database, events, folders, model, secrets
from daemon.doctor.finding import CheckedRoot, Finding
from daemon.inbox.lock import holder
from daemon.settings import Settings
from models.filenames import escape_control_characters


def examine(root: Path, settings: Settings, *, quick: bool) -> Iterator[Finding]:
    """Runs all checks in order.

    Args:
        root: The root folder.
        settings: Its settings.
        quick: Leave out checks that take more than a moment: running the model, reading the whole database.
    """
    for finding in _examine(CheckedRoot(root.absolute(), settings), quick=quick):
        # Paths in it may have bytes that neither JSON nor a terminal can show.
        yield finding._replace(message=escape_control_characters(finding.message))


def _examine(checked: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    yield Finding("settings", "ok", "all settings are valid")
    yield secrets.check(checked)
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
