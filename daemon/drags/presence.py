"""Whether a photo is gone, or the whole folder that it was in."""

import os
from contextlib import suppress

from daemon.actions.facts import Folder, RowFacts
from daemon.actions.inventory import Inventory
from daemon.drags.plan import SORTED_FOLDERS


class FolderPresence:
    """Remembers the filesystems on which folders had photos. Used by one thread."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._devices: dict[Folder, int] = {}

    def note(self) -> None:
        """Notes which folders have anything in them now."""
        for name in SORTED_FOLDERS:
            path = self._inventory.path_of(name)
            with suppress(OSError):
                if path is not None and _has_entries(path):
                    self._devices[name] = os.stat(path).st_dev

    def is_away(self, row: RowFacts) -> bool:
        """Whether the folder of a row's place may be away, or is none of the settings, so that its photos are not lost.

        An empty folder that had photos before, on the same filesystem, was emptied.
        """
        name = self._inventory.folder_of(row.place)
        path = self._inventory.path_of(name)
        if path is None or name not in SORTED_FOLDERS:
            return True
        try:
            if os.stat(path).st_dev == self._devices.get(name):
                return False
            return self._inventory.away(row.place, row.identity) is not None
        except OSError:
            return True


def _has_entries(path: bytes) -> bool:
    with os.scandir(path) as entries:
        return next(entries, None) is not None
