"""Moves that also work between filesystems: a rename, or a verified copy that replaces the original."""

import errno
import os
from collections.abc import Callable, Hashable

from daemon import failpoints
from daemon.fs import dirfd
from daemon.fs.copy import OnCopied, copy
from daemon.fs.entry import Entry
from daemon.fs.rename import rename


class FileMover:
    """Moves photos and never overwrites a file. A move that failed halfway continues there when it is tried again."""

    def __init__(self) -> None:
        self._copies: dict[Hashable, os.stat_result] = {}
        """The copy of each photo whose original still exists."""

    def move(
        self,
        source: Entry,
        target: Entry,
        key: Hashable,
        sha256: Callable[[], str],
        on_copied: OnCopied = lambda stat: None,
    ) -> None:
        """Renames a photo, or copies it with its metadata and removes the original, if the filesystems differ.

        Args:
            source: The photo.
            target: Its new place.
            key: Identifies the move when it is tried again.
            sha256: Called before a copy begins; returns the digest (hex) that the copy must have. May raise OSError.
            on_copied: See `OnCopied`.

        Raises:
            OSError: EEXIST when the target's name is taken, EIO when the copy has another digest.
        """
        if not self.has_copied(key, target):
            try:
                rename(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
            else:
                return
            self._copies[key] = copy(source, target, sha256(), on_copied)
        dirfd.sync(target.folder)
        failpoints.failpoint("named")
        source.remove()
        # Otherwise it might be claimed again after a power failure, though its row reports it as filed.
        dirfd.sync(source.folder)
        del self._copies[key]

    def has_copied(self, key: Hashable, target: Entry) -> bool:
        """Whether a photo is at its target and may still be at its source. Raises OSError."""
        copied = self._copies.get(key)
        return copied is not None and target.is_same_file(copied)
