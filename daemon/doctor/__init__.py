"""`foodsort doctor`: checks for everything that could keep the daemon from its work, each with a fix."""

from collections.abc import Iterator
from pathlib import Path

from daemon.doctor import database, events, folders, model, rows, secrets, sync
from daemon.doctor.finding import CheckedRoot, Finding
from daemon.inbox.lock import holder
from daemon.settings import Settings
from models.filenames import escape_control_characters


def examine(root: Path, settings: Settings, *, quick: bool, full: bool = False) -> Iterator[Finding]:
    """Runs all checks in order.

    Args:
        root: The root folder.
        settings: Its settings.
        quick: Leave out checks that take more than a moment: running the model, reading the whole database.
        full: Compare all rows with all files, instead of a sample.
    """
    for finding in _examine(CheckedRoot(root.absolute(), settings), quick=quick, full=full):
        # Paths in it may have bytes that neither JSON nor a terminal can show.
        yield finding._replace(message=escape_control_characters(finding.message))


def _examine(checked: CheckedRoot, *, quick: bool, full: bool) -> Iterator[Finding]:
    yield Finding("settings", "ok", "all settings are valid")
    yield secrets.check(checked)
    yield _daemon(checked)
    yield from folders.check(checked)
    yield sync.check(checked)
    yield from events.check(checked)
    findings = list(database.check(checked, quick=quick))
    yield from findings
    if full or not (quick or any(finding.level == "problem" for finding in findings)):
        yield from rows.check(checked, full=full)
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
