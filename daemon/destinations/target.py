"""Chooses the places that photos move to."""

import errno
import os
from collections.abc import Callable, Sequence

from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.subfolders import usable_path
from daemon.fs import filesystem, names
from daemon.fs.entry import Entry
from daemon.photo import Destination

NAME_REFUSED = frozenset({errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ})
"""Errors for a name that a filesystem cannot store."""


class TargetChooser:
    """Chooses free places in the destination folders."""

    def __init__(
        self, destinations: DestinationFolders, on_blocked: Callable[[bytes, bytes], None] = lambda blocked, used: None
    ) -> None:
        """Chooses nothing yet.

        Args:
            destinations: The folders.
            on_blocked: Called once for each sub-folder in which no photo can get a name, with its path and that of the
                numbered one that photos move to instead.
        """
        self._destinations = destinations
        self._on_blocked = on_blocked
        self._blocked: set[bytes] = set()
        self._portable: set[bytes] = set()
        """Folders whose filesystem refused a name."""

    def use_portable_names(self, place: bytes) -> None:
        """Gives photos names without special characters in a folder whose filesystem refused a name."""
        folder, _ = self._destinations.split(place)
        self._portable.add(folder)

    def choose(self, destination: Destination, path: bytes, sha256: str, reserved: set[bytes]) -> bytes:
        """Chooses the first free place for a photo.

        Args:
            destination: Folder of the photo.
            path: Path of the photo in the inbox; its sub-folders are kept.
            sha256: Digest of the photo.
            reserved: Places of photos that have not moved yet. The chosen place is added, and that of its sidecar.

        Returns:
            The place.

        Raises:
            OSError: The folder cannot be used.
        """
        folder = self._destinations.folder(destination)
        try:
            return self._choose(destination, path, sha256, reserved)
        except OSError as error:
            if error.errno not in NAME_REFUSED or folder in self._portable:
                raise
        self._portable.add(folder)
        return self._choose(destination, path, sha256, reserved)

    def _choose(self, destination: Destination, path: bytes, sha256: str, reserved: set[bytes]) -> bytes:
        folder = self._destinations.folder(destination)
        parts = path.split(b"/")
        if folder in self._portable:
            parts = [names.portable(part) for part in parts]
        *parents, name = parts
        parent = b"/".join(self._usable(folder, parents))
        self._note_blocked(os.path.join(folder, *parents), os.path.join(folder, parent))
        with self._destinations.open_existing(os.path.join(folder, parent, name)) as (fd, _):
            limit = names.MAX_NAME_BYTES if fd is None else filesystem.max_name_bytes(fd)

            def needed(candidate: bytes) -> list[bytes]:
                return [candidate] if destination else [candidate, sidecar.name_of(candidate, sha256)]

            def places(candidate: bytes) -> list[bytes]:
                return [self._destinations.place(os.path.join(folder, parent, file)) for file in needed(candidate)]

            def is_taken(candidate: bytes) -> bool:
                if not reserved.isdisjoint(places(candidate)):
                    return True
                return fd is not None and any(Entry(fd, file).exists() for file in needed(candidate))

            # With the name of its digest, the sidecar of a second copy would be taken whatever the photo's number.
            free = names.candidates(name, is_taken, limit=limit, suffix_bytes=0 if destination else len(sidecar.SUFFIX))
            chosen = places(next(free))
        reserved.update(chosen)
        return chosen[0]

    def _note_blocked(self, wanted: bytes, used: bytes) -> None:
        if os.path.join(used, b"") != os.path.join(wanted, b"") and wanted not in self._blocked:
            self._blocked.add(wanted)
            self._on_blocked(wanted, used)

    def _usable(self, folder: bytes, parents: Sequence[bytes]) -> Sequence[bytes]:
        """The names of sub-folders in which a photo can get a name. Raises OSError."""
        try:
            with self._destinations.open_folder(os.path.join(folder, b"_")) as (fd, _):
                return usable_path(fd, parents)
        except FileNotFoundError:
            return parents  # the folder is made with them
