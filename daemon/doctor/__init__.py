"""`foodsort doctor`: what would keep the daemon from its work, and how to mend it, before it bites."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from daemon.inbox.lock import holder
from daemon.settings import Settings


class Finding(NamedTuple):
    """What one check found. check: its name; message: what is so and, where it is not well, how to mend it."""

    check: str
    level: Literal["ok", "warning", "problem"]
    message: str


class CheckedRoot(NamedTuple):
    """A root as its settings lay it out. busy: who sorts its inbox, None when nobody does."""

    root: Path
    settings: Settings
    busy: str | None

    @property
    def inbox(self) -> Path:
        """The inbox, absolute."""
        return self.root / self.settings.folders.inbox

    @property
    def folders(self) -> dict[str, Path]:
        """The folders in use by the names of their settings, absolute; the inbox first."""
        used = self.settings.folders.model_dump()
        if self.settings.images.duplicates != "skip":
            del used["duplicates"]
        return {name: self.root / folder for name, folder in used.items() if folder}


def examine(root: Path, settings: Settings, *, quick: bool) -> Iterator[Finding]:
    """All checks in order. quick: leaves out what takes more than a moment (the model, reading the database)."""
    from daemon.doctor import database, events, folders, model

    root = root.absolute()
    yield Finding("settings", "ok", "every setting is known and possible")
    try:
        busy = holder(root / settings.folders.inbox)
    except OSError:
        busy = None
    place = CheckedRoot(root, settings, busy)
    yield Finding("daemon", "ok", f"{busy} sorts the inbox" if busy else "none runs")
    yield from folders.check(place)
    yield from events.check(place)
    yield from database.check(place, quick=quick)
    yield from model.check(place, quick=quick)


def as_json(finding: Finding) -> dict[str, Any]:
    """Keys check, level, message."""
    return finding._asdict()
