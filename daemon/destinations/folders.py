"""The folders that photos end in: which place is free, and the move there, never over anything and never half."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from daemon import failpoints
from daemon.destinations import sidecar
from daemon.destinations.move import Move
from daemon.fs import dirfd, names
from daemon.fs.cross_device import Entry, FileMover
from daemon.inbox.claims import Claims
from daemon.photo import Destination
from daemon.settings import FolderSettings


class SourceMissing(Exception):
    """Raised when a claimed photo is no longer in the claim folder: somebody else took or removed it."""


class DestinationFolders:
    """The destination folders of one root."""

    def __init__(self, root: Path, folders: FolderSettings, claims: Claims) -> None:
        self._root = os.fsencode(root.absolute())
        self._folders: dict[Destination, bytes] = {
            "food": self._absolute(folders.food),
            "non_food": self._absolute(folders.non_food),
            "unsure": self._absolute(folders.unsure or folders.non_food),
            "duplicate": self._absolute(folders.duplicates),
            None: self._absolute(folders.failed),
        }
        self._claims = claims
        self._mover = FileMover()
        self._touched: set[tuple[bytes, bytes]] = set()

    def make_folders(self) -> None:
        """Makes the destination folders that are missing; the one of duplicates comes with the first. Raises OSError."""
        for fate, folder in self._folders.items():
            if fate != "duplicate":
                _make(folder)

    def choose(self, fate: Destination, path: bytes, sha256: str, taken: set[bytes]) -> bytes:
        """The first free place for the photo `path` of the inbox, as rows name it.

        taken: places promised to others; the one chosen, and that of the reason beside a failed photo, are added.
        """
        parent, name = dirfd.split(path)
        folder = self._folders[fate]
        with _opened(folder, parent) as at:
            for candidate in names.candidates(name):
                beside = [candidate] if fate else [candidate, sidecar.name_of(candidate, sha256)]
                places = [self.place(os.path.join(folder, parent, one)) for one in beside]
                if taken.isdisjoint(places) and (at is None or not any(dirfd.exists(at, one) for one in beside)):
                    taken.update(places)
                    return places[0]
        raise AssertionError  # the candidates never end

    def serves(self, move: Move) -> bool:
        """Whether the place lies where the settings want such photos; they may have changed since the row was written."""
        return os.path.join(self._root, move.target).startswith(self._folders[move.fate] + b"/")

    def carry_out(self, move: Move) -> None:
        """Moves the photo. Raises FileExistsError when the place was taken meanwhile, SourceMissing, or OSError."""
        folder, below = self.inside(move.target)
        parent, name = dirfd.split(below)
        with _entered(folder, parent, create=True) as target:
            self._touched.add((folder, parent))
            if move.failure is not None:
                sidecar.write(target, name, move)
                failpoints.failpoint("explained")
            try:
                self._rename(move, target, name)
            except (FileExistsError, SourceMissing):  # a reason without its photo explains nothing
                if move.failure is not None:
                    os.unlink(sidecar.name_of(name, move.sha256), dir_fd=target)
                raise
        self._claims.remove_empty_folders(move.source, move.run_id)

    def sync(self) -> None:
        """Puts on the disk where photos were moved since the last call: until then a loss of power may undo a move.

        Where a folder has been taken away meanwhile there is nothing to keep. Raises OSError.
        """
        for folder, parent in list(self._touched):
            with _opened(folder, parent) as target:
                if target is not None:
                    dirfd.sync(target)
            self._touched.remove((folder, parent))

    def is_ours(self, place: bytes, identity: str, sha256: str, *, claimed: bool) -> bool:
        """Whether the file at a place is the photo that a row says was moved there. claimed: it still is, too."""
        folder, below = self.inside(place)
        parent, name = dirfd.split(below)
        with _opened(folder, parent) as at:
            if at is None or not dirfd.exists(at, name):
                return False
            stat = os.stat(name, dir_fd=at, follow_symlinks=False)
            if dirfd.identity(stat) == identity:
                return True
            # A rename leaves the photo in one of both places, so this is another one, however alike it is.
            if claimed and stat.st_dev == os.fstat(self._claims.inbox_fd).st_dev:
                return False
            # Another filesystem, or one whose device number changed at a reboot.
            return dirfd.is_regular(stat) and dirfd.sha256(at, name) == sha256

    def drop_claimed(self, move: Move) -> None:
        """Removes the claimed copy of a photo that lies at its place already."""
        _, name = dirfd.split(move.source)
        with dirfd.open_folder(self._claims.inbox_fd, self._claims.claim_folder(move.run_id, move.source)) as source:
            os.unlink(name, dir_fd=source)
        self._claims.remove_empty_folders(move.source, move.run_id)

    def _rename(self, move: Move, target: int, name: bytes) -> None:
        _, old = dirfd.split(move.source)
        try:
            source_folder = dirfd.open_folder(
                self._claims.inbox_fd, self._claims.claim_folder(move.run_id, move.source)
            )
            with source_folder as source:
                stat = os.stat(old, dir_fd=source, follow_symlinks=False)
                # Not by its inode where a backup was restored; not by its bytes alone, which would be read once more.
                same = move.identity == dirfd.identity(stat)
                if not dirfd.is_regular(stat) or not (same or dirfd.sha256(source, old) == move.sha256):
                    raise SourceMissing
                self._mover.move(Entry(source, old), Entry(target, name), move.photo_id, lambda: move.sha256)
        except FileNotFoundError as error:
            raise SourceMissing from error

    def inside(self, place: bytes) -> tuple[bytes, bytes]:
        """(destination folder, path below it) of a place; of one in no such folder, since settings change, its own folder."""
        path = os.path.join(self._root, place)
        around = [folder for folder in self._folders.values() if path.startswith(folder + b"/")]
        folder = max(around, key=len, default=os.path.dirname(path))
        return folder, path[len(folder) + 1 :]

    @contextmanager
    def folder_of(self, place: bytes, *, create: bool = False) -> Iterator[tuple[int, bytes]]:
        """Descriptor of the folder that a place lies in, made if asked, and the name there. Raises OSError."""
        folder, below = self.inside(place)
        parent, name = dirfd.split(below)
        with _entered(folder, parent, create=create) as at:
            yield at, name

    def is_in(self, place: bytes, fate: Destination) -> bool:
        """Whether a place lies in the folder that photos of a fate go to."""
        return self.inside(place)[0] == self._folders[fate]

    def holds(self, place: bytes) -> bool:
        """Whether there is a file at a place."""
        folder, below = self.inside(place)
        parent, name = dirfd.split(below)
        with _opened(folder, parent) as at:
            return at is not None and dirfd.exists(at, name)

    def _absolute(self, setting: str) -> bytes:
        return os.path.normpath(os.path.join(self._root, os.fsencode(setting)))

    def place(self, path: bytes) -> bytes:
        """An absolute path as rows name it: relative to the root where it lies in there."""
        inside = path.startswith(self._root + b"/")
        return path[len(self._root) + 1 :] if inside else path


@contextmanager
def _opened(folder: bytes, below: bytes) -> Iterator[int | None]:
    """Descriptor of the folder `below` a destination folder; None where there is none, or something else in its place."""
    with ExitStack() as stack:
        try:
            at = stack.enter_context(_entered(folder, below))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            at = None
        yield at


@contextmanager
def _entered(folder: bytes, below: bytes, *, create: bool = False) -> Iterator[int]:
    """Descriptor of the folder `below` a destination folder, made if asked. Raises OSError."""
    if create:
        _make(folder)
    root = dirfd.open_root(folder)
    try:
        with dirfd.open_folder(root, below, create=create) as at:
            yield at
    finally:
        os.close(root)


def _make(folder: bytes) -> None:
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        dirfd.sync_folder(os.path.dirname(folder))
