"""Notices that a learned model was added, put live or taken back by another process."""

import os
import time
from pathlib import Path

from daemon.registry import learned
from daemon.registry.promotions import FILE, load, models_folder
from models.errors import BundleError

EVERY_S = 0.5
"""Seconds between two looks."""

_Stamp = tuple[tuple[int, int] | None, ...]


class ModelsWatch:
    """Watches the folder of the learned models of a root. Used by one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths = (models_folder(root), models_folder(root) / FILE)
        self._stamp = self._read_stamp()
        self._next = 0.0

    def changed(self, configured: str, in_use: tuple[str, ...]) -> bool:
        """Whether other models should be in use; True once for each change.

        Args:
            configured: `model.bundle` in the settings.
            in_use: Digests of the live model and of its candidate, if there is one.
        """
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + EVERY_S
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            live = load(self._root).live(configured)
            candidate = learned.candidate(self._root, configured)
        except BundleError:
            return False  # the pointer is damaged; what is in use stays, and `doctor` names the file
        if live is not None and live.sha256 != in_use[0]:
            return True
        was_learned = live is None and in_use[0] in {
            model.sha256 for model in learned.learned_models(self._root, configured)
        }
        return was_learned or in_use[1:] != ((candidate.sha256,) if candidate else ())

    def _read_stamp(self) -> _Stamp:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_ino)
