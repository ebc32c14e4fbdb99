"""Claiming a photo: one rename decides which process has it; or a copy is claimed, and the photo stays in the inbox."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from daemon import failpoints
from daemon.fs import copy, dirfd, names
from daemon.fs.cross_device import FileMover
from daemon.fs.entry import Entry
from daemon.fs.filesystem import Filesystem
from daemon.fs.kept_folders import KeptFolder, KeptFolders
from daemon.fs.part import is_part
from daemon.fs.rename import is_placeholder, rename
from daemon.inbox.claimed_copy import copy_ready, holds_copies, is_original, mark_run
from daemon.inbox.claimed_photo import Claimed, FileChanged, FileRefused, unreadable_is_refused
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.retry import is_transient

PRIVATE = b".foodsort"
"""foodsort's own folder in the inbox."""
_CLAIMED = dirfd.join(PRIVATE, b"claimed")


class Claims:
    """The claim folder `<inbox>/.foodsort/claimed/<run id>/`. Each run of the daemon has its own.

    Attributes:
        inbox_fd: Descriptor of the inbox, -1 after `close`.
        run_id: Name of this run's folder.
        copies: Whether copies are claimed and the files stay in the inbox.
    """

    def __init__(self, inbox: Path, max_copy_bytes: int | None = None) -> None:
        """Opens an inbox.

        Args:
            inbox: Its path.
            max_copy_bytes: Size of the largest file that is copied (bytes); None: files are moved.

        Raises:
            OSError: It cannot be opened.
        """
        self.copies = max_copy_bytes is not None
        self._max_copy_bytes = max_copy_bytes or 0
        self.open(inbox)
        self._files = FileMover()
        self._folders = KeptFolders()
        self._pending_returns: list[tuple[bytes, bytes]] = []
        # One thread creates subfolders of the claim folder while others remove the empty ones.
        self._folder_lock = threading.Lock()

    def open(self, inbox: Path) -> None:
        """Opens the folder at this path, after `close` again. Raises OSError."""
        self.inbox_fd = dirfd.open_root(os.fsencode(inbox))
        self._inbox = KeptFolder(self.inbox_fd, os.fstat(self.inbox_fd))
        self._filesystem = Filesystem.of(self.inbox_fd)
        run_id = b"%d-%d" % (time.time_ns(), os.getpid())
        self.run_id = mark_run(run_id) if self.copies else run_id

    def close(self) -> None:
        """Closes the inbox and removes the claim folder if it is empty. May be called twice."""
        if self.inbox_fd >= 0:
            self.close_folders()
            dirfd.remove_empty_folders(self.inbox_fd, self.claim_folder(self.run_id, b""))
            os.close(self.inbox_fd)
            self.inbox_fd = -1

    def close_folders(self) -> None:
        """Closes the folders that `claim` keeps open for further photos."""
        self._folders.close()

    def claim_folder(self, run_id: bytes, path: bytes) -> bytes:
        """Returns the folder, relative to the inbox, that contains the photo `path` after the run `run_id` claimed it."""
        parent, _ = dirfd.split(path)
        return dirfd.join(dirfd.join(_CLAIMED, run_id), parent).rstrip(b"/")

    def claim(self, ready: ReadyFile) -> Claimed:
        """Claims a ready file.

        Raises:
            FileNotFoundError: The file no longer exists.
            FileExistsError: Another file of this name is claimed.
            FileChanged: The file is not ready any more.
            FileRefused: The file cannot be moved or read.
            OSError: The machine has a problem, such as a full disk or no descriptors left.
        """
        _, name = dirfd.split(ready.path)
        try:
            with self._folder_lock:
                target = self._keep_open(self.claim_folder(self.run_id, ready.path), create=True)
                claimed = Entry(target.fd, name)
                if self.copies:
                    ready = self._copy(claimed, ready)
                copied = self.copies or self._take(claimed, target.stat.st_dev, ready)
        except (FileChanged, FileRefused):
            self.remove_empty_folders(ready.path, self.run_id)
            raise
        except OSError as error:
            self.remove_empty_folders(ready.path, self.run_id)
            if isinstance(error, FileNotFoundError | FileExistsError) or is_transient(error):
                raise
            what = "cannot be copied" if self.copies else "cannot be moved"
            raise FileRefused(f"{what}: {error.strerror}") from error
        failpoints.failpoint("claimed")
        try:
            photo = Claimed.open(claimed, ready.path, self.run_id, None if copied else ready, self._filesystem)
        except (FileChanged, FileRefused, OSError):  # OSError: no descriptors left, for example
            self.give_back(ready.path, self.run_id)
            raise
        photo.identity_in_inbox = ready.stamp.identity
        if self.copies:
            photo.original = ready.stamp.text
            photo.sha256 = ready.sha256
            photo.stable_since = ready.stable_since
        return photo

    def open_in_place(self, ready: ReadyFile) -> Claimed:
        """Opens a ready file in the inbox without moving it, for a dry run. Raises the same errors as `claim`."""
        parent, _ = dirfd.split(ready.path)
        return self._open(parent, ready.path, b"", ready)

    def reopen(self, path: bytes, run_id: bytes) -> Claimed:
        """Opens a photo that an earlier run of the daemon claimed. Raises FileRefused, OSError."""
        claimed = self._open(self.claim_folder(run_id, path), path, run_id, None)
        claimed.identity_in_inbox = self.path_identity(path) or claimed.identity
        claimed.original = "" if holds_copies(run_id) else None
        return claimed

    def digest(self, ready: ReadyFile) -> str:
        """Returns the SHA-256 (hex) of a ready file; empty when it is too large or cannot be read, as `claim` says then."""
        if self.copies and ready.stamp.size > self._max_copy_bytes:
            return ""
        try:
            photo = self.open_in_place(ready)
        except (FileChanged, FileRefused, OSError):
            return ""
        with closing(photo), suppress(OSError):
            return copy.digest(photo.fd)
        return ""

    def drop_copy(self, path: bytes, run_id: bytes) -> bool:
        """Removes a claimed copy without a row if its original is in the inbox, unchanged. Raises OSError.

        Returns:
            Whether it was removed.
        """
        parent, name = dirfd.split(path)
        with dirfd.open_folder(self.inbox_fd, self.claim_folder(run_id, path)) as folder:
            copied = Entry(folder, name)
            try:
                with dirfd.open_folder(self.inbox_fd, parent) as inbox:
                    if not is_original(Entry(inbox, name), copied):
                        return False
            except (FileNotFoundError, NotADirectoryError):
                return False
            copied.remove()
        self.remove_empty_folders(path, run_id)
        return True

    def give_back(self, path: bytes, run_id: bytes) -> bytes | None:
        """Moves a claimed photo back to the inbox, under a numbered name when its own is taken; a copy is removed.

        Returns:
            Its path in the inbox. None when somebody removed it, or when it cannot be moved at present; in this case
            `retry_returns` tries again.
        """
        try:
            return self._give_back(path, run_id)
        except FileNotFoundError:
            return None
        except OSError:
            self._pending_returns.append((path, run_id))
            return None

    def retry_returns(self) -> None:
        """Moves the photos back that `give_back` could not move."""
        pending = self._pending_returns
        self._pending_returns = []
        for path, run_id in pending:
            self.give_back(path, run_id)

    def remove_empty_folders(self, path: bytes, run_id: bytes) -> None:
        """Removes the subfolders of the claim folder that are empty without the photo `path`."""
        run_folder = self.claim_folder(run_id, b"")
        photo_folder = self.claim_folder(run_id, path)
        with self._folder_lock:
            if photo_folder != run_folder or run_id != self.run_id:
                dirfd.remove_empty_folders(self.inbox_fd, photo_folder)

    def leftovers(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields run id and path of each file in the claim folders of all runs."""
        for claimed_path, _ in dirfd.walk(self.inbox_fd, _CLAIMED):
            run_id, _, path = claimed_path[len(_CLAIMED) + 1 :].partition(b"/")
            if path:
                yield run_id, path

    def settle(self, path: bytes, run_id: bytes) -> bool:
        """Completes a claim or a return during which a process was killed.

        A rename leaves a photo in one place. A filesystem without RENAME_NOREPLACE, or another one, may have it in both.

        Returns:
            Whether the photo is claimed; else it is in the inbox.

        Raises:
            OSError: The folders cannot be read or changed.
        """
        parent, name = dirfd.split(path)
        with dirfd.open_folder(self.inbox_fd, self.claim_folder(run_id, path)) as folder:
            claimed = Entry(folder, name)
            if is_placeholder(claimed) or is_part(name):
                claimed.remove()
                return False
            if holds_copies(run_id):
                return True
            stat = claimed.stat()
            try:
                with dirfd.open_folder(self.inbox_fd, parent) as inbox:
                    original = Entry(inbox, name)
                    if is_placeholder(original):
                        original.remove()
                    elif original.is_same_file(stat) or _is_copy(original, claimed):
                        claimed.remove()
                        return False
            except (FileNotFoundError, NotADirectoryError):
                return True
        return True

    def stat(self, path: bytes) -> os.stat_result | None:
        """Returns the stat of a path in the inbox, None when the file or its folder does not exist. Raises OSError."""
        parent, name = dirfd.split(path)
        try:
            if not parent:
                return Entry(self.inbox_fd, name).stat()
            with dirfd.open_folder(self.inbox_fd, parent) as folder:
                return Entry(folder, name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def stamp(self, path: bytes) -> FileStamp | None:
        """Returns the stamp of a path in the inbox, None when no regular file is there or it cannot be reached."""
        try:
            stat = self.stat(path)
        except OSError:
            return None
        return self.stamp_of(path, stat) if stat is not None and dirfd.is_regular(stat) else None

    def stamp_of(self, path: bytes, stat: os.stat_result) -> FileStamp:
        """Returns the stamp of a file in the inbox."""
        stamp = FileStamp.of(stat)
        return stamp if self._filesystem.has_lasting_inodes else stamp.at_path(path)

    def ignores_case(self) -> bool:
        """Whether names that differ in capitals are the same in the inbox."""
        own, other = (self.stat(name) for name in (PRIVATE, PRIVATE.upper()))
        return own is not None and other is not None and dirfd.identity(own) == dirfd.identity(other)

    def path_identity(self, path: bytes) -> str | None:
        """Returns the identity that a file at a path has on a filesystem where inodes do not last; None on others."""
        if self._filesystem.has_lasting_inodes:
            return None
        return FileStamp.of(os.fstat(self.inbox_fd)).at_path(path).identity

    def _copy(self, claimed: Entry, ready: ReadyFile) -> ReadyFile:
        """Copies a file into the claim folder; see `copy_ready`."""
        parent, name = dirfd.split(ready.path)
        folder = self._keep_open(parent) if parent else self._inbox
        return copy_ready(Entry(folder.fd, name), claimed, ready, self._max_copy_bytes, self._filesystem)

    def _take(self, claimed: Entry, device: int, ready: ReadyFile) -> bool:
        """Renames a file into the claim folder, or copies it from a filesystem that is mounted inside the inbox.

        Args:
            claimed: Its new place.
            device: Device number of the claim folder.
            ready: The file.

        Returns:
            Whether it was copied.

        Raises:
            FileChanged, FileRefused: The file cannot be copied.
            OSError: It cannot be renamed or copied.
        """
        parent, name = dirfd.split(ready.path)
        folder = self._keep_open(parent) if parent else self._inbox
        source = Entry(folder.fd, name)
        if folder.stat.st_dev == device:
            try:
                rename(source, claimed)
                return False
            except OSError as error:
                if error.errno != errno.EXDEV:  # the same device, and a bind mount or a subvolume nonetheless
                    raise
        Claimed.open(source, ready.path, b"", ready).close()
        self._files.move(source, claimed, ready.path, source.sha256)
        return True

    def _keep_open(self, path: bytes, *, create: bool = False) -> KeptFolder:
        """Opens a folder of the inbox until `close_folders`. Raises OSError."""
        return self._folders.get(path, lambda: dirfd.open_folder(self.inbox_fd, path, create=create), self.inbox_fd)

    def _open(self, folder: bytes, path: bytes, run_id: bytes, ready: ReadyFile | None) -> Claimed:
        """Opens the photo `path`, which is in `folder`; see `Claimed.open`."""
        _, name = dirfd.split(path)
        with unreadable_is_refused(), dirfd.open_folder(self.inbox_fd, folder) as at:
            return Claimed.open(Entry(at, name), path, run_id, ready, self._filesystem)

    def _give_back(self, path: bytes, run_id: bytes) -> bytes:
        parent, name = dirfd.split(path)
        claim_folder = self.claim_folder(run_id, path)
        if holds_copies(run_id):
            with dirfd.open_folder(self.inbox_fd, claim_folder) as folder:
                Entry(folder, name).remove()
            failpoints.failpoint("given_back")
            self.remove_empty_folders(path, run_id)
            return path
        with (
            dirfd.open_folder(self.inbox_fd, claim_folder) as source,
            dirfd.open_folder(self.inbox_fd, parent, create=True) as target,
        ):
            free = names.use_first_free(
                names.candidates(name, lambda candidate: Entry(target, candidate).exists()),
                lambda candidate: self._files.move(
                    Entry(source, name), Entry(target, candidate), (run_id, path), Entry(source, name).sha256
                ),
            )
        failpoints.failpoint("given_back")
        self.remove_empty_folders(path, run_id)
        return dirfd.join(parent, free)


def _is_copy(original: Entry, claimed: Entry) -> bool:
    """Whether a file on a filesystem mounted inside the inbox has the size, time and bytes of a claimed one."""
    stat, other = original.find(), claimed.stat()
    if stat is None or os.fstat(original.folder).st_dev == os.fstat(claimed.folder).st_dev:
        return False
    same = (stat.st_size, stat.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return same and original.sha256() == claimed.sha256()
