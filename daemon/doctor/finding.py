"""The input and the results of checks."""

from pathlib import Path
from typing import Literal, NamedTuple

from daemon.settings import Settings

Level = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        check: Name of the check.
        level: How bad it is.
        message: The finding and, unless all is well, its fix.
    """

    check: str
    level: Level
    message: str


class CheckedRoot(NamedTuple):
    """A root folder and its settings."""

    path: Path
    settings: Settings

    @property
    def inbox(self) -> Path:
        """The inbox, absolute."""
        return self.path / self.settings.folders.inbox

    @property
    def folders(self) -> dict[str, Path]:
        """The folders in use by the names of their settings, absolute; the inbox first."""
        used = self.settings.folders.used
        if self.settings.images.duplicates != "skip":
            del used["duplicates"]
        return {name: self.path / folder for name, folder in used.items()}
