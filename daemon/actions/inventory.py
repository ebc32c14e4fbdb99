"""The files in the folders of one root, as `foodsort repair` compares them with rows. It only reads."""

import hashlib
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import get_args

from daemon.actions.facts import FileFacts, Folder
from daemon.database.timestamps import format_mtime
from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.originals import OriginalMissing, open_original
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.inbox.claims import Claims
from daemon.inbox.ignore import IgnoreRules
from daemon.photo import UNREAD_SHA256
from daemon.settings import Settings
from models.filenames import escape_name
from models.images.formats import is_image

_HEAD_BYTES = 64 << 10
_ANY_FILES = ("failed", "other")


class Inventory:
    """Lists, looks up and reads the files of one root."""

    def __init__(self, root: Path, settings: Settings, claims: Claims) -> None:
        self.destinations = DestinationFolders(root, settings.folders, claims)
        self._root = os.fsencode(root.absolute())
        self._ignored = IgnoreRules(settings.watch.ignore)
        self._max_bytes = settings.images.max_bytes
        folders = settings.folders.used
        self._folders: dict[Folder, bytes] = {
            name: os.path.normpath(os.path.join(self._root, os.fsencode(folders[name])))
            for name in get_args(Folder)
            if name in folders
        }

    def away(self, place: bytes, identity: str) -> str | None:
        """Why the folder of a place, where nothing is, cannot be the one that the photo was put into; None if it can.

        Args:
            place: The place.
            identity: Device and inode of the photo.
        """
        folder = self._folders.get(self.folder_of(place))
        if folder is None:
            return None
        path = escape_name(folder)
        try:
            if os.listdir(folder) or f"{os.stat(folder).st_dev}" == identity.partition(":")[0]:
                return None
        except FileNotFoundError:
            return f"{path} does not exist, but rows name photos in it; mount it, or create it if they are gone"
        return (
            f"{path} is empty and was on another filesystem when photos were put into it; mount it or restore its photos,"
            " or put any file into it if they are gone"
        )

    def path_of(self, folder: Folder) -> bytes | None:
        """The absolute path of a folder; None if the settings name none."""
        return self._folders.get(folder)

    def files(self) -> Iterator[FileFacts]:
        """The regular files in the folders of sorted photos, except ignored names and error sidecars.

        Raises:
            OSError: A folder cannot be read.
        """
        for name, path in self._folders.items():
            if name != "inbox" and os.path.isdir(path):
                yield from self._walk(name, path)

    def inbox_files(self) -> Iterator[FileFacts]:
        """The regular files in the inbox, except ignored names. Raises OSError."""
        yield from self._walk("inbox", self._folders["inbox"])

    def at(self, place: bytes) -> FileFacts | None:
        """The regular file at a place, None when there is none.

        Raises:
            OSError: The folder cannot be read.
        """
        with self.destinations.open_existing(place) as (folder, name):
            stat = None if folder is None else Entry(folder, name).find()
        return self._facts(place, stat) if stat is not None and dirfd.is_regular(stat) else None

    def is_photo(self, file: FileFacts) -> bool:
        """Whether a file can be one of foodsort's: in `failed` and `other` any kind of file, else an image.

        Raises:
            OriginalMissing: The file is no longer there, or cannot be read.
        """
        with self.open(file) as stream:
            return self._is_photo(file, stream)

    def read(self, file: FileFacts) -> str | None:
        """Reads a file.

        Returns:
            Its digest, UNREAD_SHA256 for one that is too large; None when it is no photo.

        Raises:
            OriginalMissing: The file is no longer there, or cannot be read.
        """
        if file.size_bytes > self._max_bytes:
            return UNREAD_SHA256 if file.folder in _ANY_FILES else None
        with self.open(file) as stream:
            return _digest(stream) if self._is_photo(file, stream) else None

    def digest(self, file: FileFacts) -> str:
        """Returns the digest of any file, UNREAD_SHA256 for one that is too large. Raises OriginalMissing."""
        if file.size_bytes > self._max_bytes:
            return UNREAD_SHA256
        with self.open(file) as stream:
            return _digest(stream)

    def open(self, file: FileFacts) -> BufferedReader:
        """Opens a file for reading. Raises OriginalMissing."""
        return os.fdopen(open_original(self.destinations, file.place), "rb")

    def path_in_folder(self, file: FileFacts) -> bytes:
        """The path of a file in its folder, which is the path that it has in the inbox when it moves back."""
        return self._absolute(file.place)[len(self._folders[file.folder]) + 1 :]

    def _is_photo(self, file: FileFacts, stream: BufferedReader) -> bool:
        try:
            return file.folder in _ANY_FILES or is_image(stream.read(_HEAD_BYTES))
        except OSError as error:
            raise OriginalMissing(f"cannot be read: {error.strerror}") from error

    def _walk(self, name: Folder, folder: bytes) -> Iterator[FileFacts]:
        root = dirfd.open_root(folder)
        try:
            for path, stat in dirfd.walk(root, skip=self._ignored):
                file = self._facts(self.destinations.place(os.path.join(folder, path)), stat)
                # One folder may be in another.
                is_sidecar = name == "failed" and path.endswith(sidecar.SUFFIX)
                if dirfd.is_regular(stat) and file.folder == name and not is_sidecar:
                    yield file
        finally:
            os.close(root)

    def _facts(self, place: bytes, stat: os.stat_result) -> FileFacts:
        return FileFacts(
            place=place,
            folder=self.folder_of(place),
            identity=dirfd.identity(stat),
            size_bytes=stat.st_size,
            modified_at=format_mtime(stat.st_mtime_ns),
        )

    def folder_of(self, place: bytes) -> Folder:
        """The folder that a place is in."""
        path = self._absolute(place)
        names = [name for name, folder in self._folders.items() if path.startswith(folder + b"/")]
        return max(names, key=lambda name: len(self._folders[name]), default="elsewhere")

    def _absolute(self, place: bytes) -> bytes:
        return os.path.join(self._root, place)


def _digest(stream: BufferedReader) -> str:
    try:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise OriginalMissing(f"cannot be read: {error.strerror}") from error
