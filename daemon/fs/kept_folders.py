"""Folders that stay open while a batch of photos is moved: each further photo costs one look instead of many opens."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple


class KeptFolder(NamedTuple):
    """An open folder.

    Attributes:
        fd: Its descriptor.
        stat: Its stat when it was opened.
    """

    fd: int
    stat: os.stat_result


class KeptFolders:
    """Open folders by their paths. A folder that is no longer at its path is opened again. Used by one thread at a time."""

    def __init__(self) -> None:
        self._folders: dict[bytes, KeptFolder] = {}

    def get(
        self, path: bytes, open_folder: Callable[[], AbstractContextManager[int]], root: int | None = None
    ) -> KeptFolder:
        """Returns the folder at a path, open until `close`.

        Args:
            path: The path, absolute or relative to `root`.
            open_folder: Opens the folder.
            root: Descriptor of a folder.

        Raises:
            OSError: The folder cannot be opened.
        """
        kept = self._folders.get(path)
        if kept is not None:
            with suppress(OSError):
                # The path may lead through a link by now: then this is another folder, or still the one inside.
                if os.path.samestat(os.stat(path, dir_fd=root), kept.stat):
                    return kept
            os.close(self._folders.pop(path).fd)
        with open_folder() as fd:
            kept = KeptFolder(os.dup(fd), os.fstat(fd))
        self._folders[path] = kept
        return kept

    def close(self) -> None:
        """Closes all folders. May be called twice."""
        while self._folders:
            _, kept = self._folders.popitem()
            os.close(kept.fd)
