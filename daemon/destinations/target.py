"""Chooses the places that photos move to."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.subfolders import usable_path
from daemon.fs import dirfd, filesystem, names
from daemon.fs.entry import Entry
from daemon.inbox.companions import possible_companions
from daemon.photo import Destination

NAME_REFUSED = frozenset({errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ})
"""Errors for a name that a filesystem cannot store."""


class _Folder(NamedTuple):
    """A folder for photos.

    Attributes:
        place: Its place, with a slash at the end.
        fd: Its descriptor; None while there is no such folder.
        limit: Longest name in it (bytes).
    """

    place: bytes
    fd: int | None
    limit: int


class TargetChooser:
    """Chooses free places in the destination folders."""

    def __init__(
        self,
        destinations: DestinationFolders,
        on_blocked: Callable[[bytes, bytes], None] = lambda blocked, used: None,
        companions: Callable[[], bool] = lambda: False,
    ) -> None:
        """Chooses nothing yet.

        Args:
            destinations: The folders.
            on_blocked: Called once for each sub-folder in which no photo can get a name, with its path and that of the
                numbered one that photos move to instead.
            companions: Whether photos have companions, so that a name counts as taken if one of its companions is.
        """
        self._destinations = destinations
        self._on_blocked = on_blocked
        self._companions = companions
        self._blocked: set[bytes] = set()
        self._portable: set[bytes] = set()
        """Folders whose filesystem refused a name."""
        self._folders: dict[bytes, _Folder] = {}
        """Folders of the photos since `close`, by their paths without numbers. A move looks again."""
        self._opened = ExitStack()

    def close(self) -> None:
        """Closes the folders of the photos so far. Further photos may follow."""
        self._folders.clear()
        self._opened.close()

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
            The place. Its folder stays open until `close`.

        Raises:
            OSError: The folder cannot be used.
        """
        folder = self._destinations.folder(destination)
        try:
            return self._choose(destination, path, sha256, reserved)
        except OSError as error:
            self.close()
            if error.errno not in NAME_REFUSED or folder in self._portable:
                raise
        self._portable.add(folder)
        return self._choose(destination, path, sha256, reserved)

    def _choose(self, destination: Destination, path: bytes, sha256: str, reserved: set[bytes]) -> bytes:
        root = self._destinations.folder(destination)
        parents, name = dirfd.split(path)
        if root in self._portable:
            parents, name = _portable(parents), _portable(name)
        key = dirfd.join(root, parents)
        folder = self._folders.get(key)
        if folder is None:
            folder = self._folders[key] = self._open(root, parents.split(b"/") if parents else [])

        has_companions = self._companions()

        def needed(candidate: bytes) -> list[bytes]:
            return [candidate] if destination else [candidate, sidecar.name_of(candidate, sha256)]

        def is_taken(candidate: bytes) -> bool:
            for file in needed(candidate) + (possible_companions(candidate) if has_companions else []):
                if folder.place + file in reserved or (folder.fd is not None and Entry(folder.fd, file).exists()):
                    return True
            return False

        # With the name of its digest, the sidecar of a second copy would be taken whatever the photo's number.
        suffix_bytes = 0 if destination else len(sidecar.SUFFIX)
        chosen = next(names.candidates(name, is_taken, limit=folder.limit, suffix_bytes=suffix_bytes))
        reserved.update(folder.place + file for file in needed(chosen))
        return folder.place + chosen

    def _open(self, root: bytes, parents: list[bytes]) -> _Folder:
        """Opens the sub-folder of a destination, or a numbered one beside it in which a photo can get a name."""
        usable = self._usable(root, parents)
        self._note_blocked(os.path.join(root, *parents), os.path.join(root, *usable))
        inside = os.path.join(root, *usable, b"")
        fd, _ = self._opened.enter_context(self._destinations.open_existing(inside + b"_"))
        limit = names.MAX_NAME_BYTES if fd is None else filesystem.max_name_bytes(fd)
        return _Folder(self._destinations.place(inside), fd, limit)

    def _note_blocked(self, wanted: bytes, used: bytes) -> None:
        if used != wanted and wanted not in self._blocked:
            self._blocked.add(wanted)
            self._on_blocked(wanted, used)

    def _usable(self, folder: bytes, parents: Sequence[bytes]) -> Sequence[bytes]:
        """The names of sub-folders in which a photo can get a name. Raises OSError."""
        try:
            with self._destinations.open_folder(os.path.join(folder, b"_")) as (fd, _):
                return usable_path(fd, parents)
        except FileNotFoundError:
            return parents  # the folder is made with them


def _portable(path: bytes) -> bytes:
    return b"/".join(map(names.portable, path.split(b"/"))) if path else path
