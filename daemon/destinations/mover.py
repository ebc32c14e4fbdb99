"""Moves claimed photos into the destination folders; never overwrites a file and never leaves half of one."""

import os

from daemon import failpoints
from daemon.destinations import sidecar
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.move import Move
from daemon.fs import dirfd
from daemon.fs.cross_device import Entry, FileMover
from daemon.inbox.claims import Claims
from daemon.photo import UNREAD_SHA256


class SourceMissing(Exception):
    """Raised when a claimed photo is no longer in the claim folder: another program moved or removed it."""


class PhotoMover:
    """Carries out moves from the claim folder."""

    def __init__(self, destinations: DestinationFolders, claims: Claims) -> None:
        self._destinations = destinations
        self._claims = claims
        self._files = FileMover()
        self._unsynced: dict[bytes, bytes] = {}
        """A target for each folder that is not synced since a move."""

    def carry_out(self, move: Move) -> None:
        """Moves a claimed photo to its target, a failed one with its sidecar.

        Raises:
            FileExistsError: The target, or the sidecar's name, was taken in the meantime.
            SourceMissing: The photo is no longer in the claim folder.
            OSError: Any other problem with the disk.
        """
        with self._destinations.open_folder(move.target, create=True) as (folder, name):
            self._unsynced[os.path.dirname(move.target)] = move.target
            if move.failure is not None:
                sidecar.write(folder, name, move)
                failpoints.failpoint("explained")
            try:
                self._move_claimed(move, Entry(folder, name))
            except (FileExistsError, SourceMissing):  # a sidecar without its photo explains nothing
                if move.failure is not None:
                    os.unlink(sidecar.name_of(name, move.sha256), dir_fd=folder)
                raise
        self._claims.remove_empty_folders(move.source, move.run_id)

    def sync(self) -> None:
        """Syncs the folders of all moves since the last call; until then a power cut may undo a move.

        A folder that was removed in the meantime has nothing to sync.

        Raises:
            OSError: A folder cannot be synced.
        """
        for parent, target in list(self._unsynced.items()):
            with self._destinations.open_existing(target) as (folder, _):
                if folder is not None:
                    dirfd.sync(folder)
            del self._unsynced[parent]

    def drop_claimed(self, move: Move) -> None:
        """Removes the claimed copy of a photo whose target is complete.

        Raises:
            OSError: The copy cannot be removed.
        """
        _, name = dirfd.split(move.source)
        with dirfd.open_folder(self._claims.inbox_fd, self._claims.claim_folder(move.run_id, move.source)) as folder:
            os.unlink(name, dir_fd=folder)
        self._claims.remove_empty_folders(move.source, move.run_id)

    def _move_claimed(self, move: Move, target: Entry) -> None:
        _, name = dirfd.split(move.source)
        claim_folder = self._claims.claim_folder(move.run_id, move.source)
        try:
            with dirfd.open_folder(self._claims.inbox_fd, claim_folder) as folder:
                stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
                # The inode alone fails after a restore from a backup; the digest alone reads every photo once more.
                same = move.identity == dirfd.identity(stat)
                unread = move.sha256 == UNREAD_SHA256
                if not dirfd.is_regular(stat) or not (
                    same or (not unread and dirfd.sha256(folder, name) == move.sha256)
                ):
                    raise SourceMissing
                self._files.move(
                    Entry(folder, name),
                    target,
                    move.photo_id,
                    lambda: dirfd.sha256(folder, name) if unread else move.sha256,
                )
        except FileNotFoundError as error:
            raise SourceMissing from error
