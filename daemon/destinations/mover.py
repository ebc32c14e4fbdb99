"""Moves claimed photos into the destination folders; never overwrites a file and never leaves half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from daemon import failpoints
from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.move import Move
from daemon.destinations.presence import has_photo
from daemon.fs import dirfd
from daemon.fs.cross_device import FileMover
from daemon.fs.entry import Entry
from daemon.fs.kept_folders import KeptFolders
from daemon.inbox.claims import Claims
from daemon.photo import UNREAD_SHA256
from models.filenames import escape_name


class SourceMissing(Exception):
    """Raised when a claimed photo is no longer in the claim folder: another program moved or removed it."""


class PhotoMover:
    """Carries out moves from the claim folder."""

    def __init__(self, destinations: DestinationFolders, claims: Claims) -> None:
        self._destinations = destinations
        self._claims = claims
        self._files = FileMover()
        self._folders = KeptFolders()
        self._unsynced: dict[tuple[int, int], int] = {}
        """Descriptors of the folders that are not synced since a move; a path may lead elsewhere by then."""

    def carry_out(self, move: Move) -> None:
        """Moves a claimed photo to its target, a failed one with its sidecar.

        Raises:
            FileExistsError: The target, or the sidecar's name, was taken in the meantime.
            SourceMissing: The photo is no longer in the claim folder.
            OSError: Any other problem with the disk.
        """
        try:
            self._carry_out(move)
        except OSError as error:
            if error.filename is None:  # a person has to know which disk is full, for example
                error.filename = escape_name(move.target)
            raise
        self._claims.remove_empty_folders(move.source, move.run_id)

    def _carry_out(self, move: Move) -> None:
        folder = self._folders.get(
            os.path.dirname(self._destinations.path(move.target)), lambda: self._open_target(move.target)
        )
        key = folder.stat.st_dev, folder.stat.st_ino
        if key not in self._unsynced:
            self._unsynced[key] = os.dup(folder.fd)
        target = Entry(folder.fd, os.path.basename(move.target))
        if move.failure is not None:
            sidecar.write(folder.fd, target.name, move)
            failpoints.failpoint("explained")
        try:
            self._move_claimed(move, target)
        except (FileExistsError, SourceMissing):  # a sidecar without its photo explains nothing
            if move.failure is not None:
                Entry(folder.fd, sidecar.name_of(target.name, move.sha256)).remove()
            raise

    @contextmanager
    def _open_target(self, target: bytes) -> Iterator[int]:
        with self._destinations.open_folder(target, create=True) as (folder, _):
            yield folder

    def sync(self) -> None:
        """Syncs and closes the folders of all moves since the last call; until then a power cut may undo a move.

        Raises:
            OSError: A folder cannot be synced.
        """
        while self._unsynced:
            key, folder = next(iter(self._unsynced.items()))
            dirfd.sync(folder)
            del self._unsynced[key]
            os.close(folder)
        self._folders.close()

    def give_back(self, move: Move) -> None:
        """Moves a claimed photo whose target cannot be used back to the inbox."""
        self._claims.give_back(move.source, move.run_id)

    def drop_claimed(self, move: Move) -> None:
        """Removes the claimed copy of a photo whose target is complete.

        Raises:
            OSError: The copy cannot be removed.
        """
        _, name = dirfd.split(move.source)
        with dirfd.open_folder(self._claims.inbox_fd, self._claims.claim_folder(move.run_id, move.source)) as folder:
            Entry(folder, name).remove()
        self._claims.remove_empty_folders(move.source, move.run_id)

    def _move_claimed(self, move: Move, target: Entry) -> None:
        _, name = dirfd.split(move.source)
        claim_folder = self._claims.claim_folder(move.run_id, move.source)
        try:
            inbox = self._claims.inbox_fd
            folder = self._folders.get(claim_folder, lambda: dirfd.open_folder(inbox, claim_folder), inbox)
            source = Entry(folder.fd, name)
            if not self._files.has_copied(move.photo_id, target):
                _require_photo(source, move)
            self._files.move(source, target, move.photo_id, partial(_sha256, source, move))
        except FileNotFoundError as error:
            # An earlier attempt may have moved it, though it reported an error.
            if not has_photo(self._destinations, move.target, move.identity, move.sha256, claimed=False):
                raise SourceMissing from error


def _require_photo(source: Entry, move: Move) -> None:
    """Raises SourceMissing when a claimed file is another one than the photo, OSError."""
    stat = source.stat()
    # The inode alone fails after a restore from a backup; the digest alone reads every photo once more.
    same = move.identity == dirfd.identity(stat)
    if not dirfd.is_regular(stat) or not (same or (move.sha256 != UNREAD_SHA256 and source.sha256() == move.sha256)):
        raise SourceMissing


def _sha256(source: Entry, move: Move) -> str:
    """The digest that a photo must have; of one that was too large to be read, the digest that it has. Raises OSError."""
    return source.sha256() if move.sha256 == UNREAD_SHA256 else move.sha256
