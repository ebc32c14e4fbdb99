"""Copies in the claim folder, whose originals stay in the inbox."""

import os
from contextlib import closing

from daemon.fs import copy, dirfd
from daemon.fs.entry import Entry
from daemon.fs.filesystem import Filesystem
from daemon.inbox.claimed_photo import Claimed, FileChanged, FileRefused
from daemon.inbox.readiness import ReadyFile

_OF_COPIES = b"-copy"


def mark_run(run_id: bytes) -> bytes:
    """Returns the id of a run that claims copies: recovery may drop those that have no row yet."""
    return run_id + _OF_COPIES


def holds_copies(run_id: bytes) -> bool:
    """Whether a run of the daemon claimed copies, so that the originals stayed in the inbox."""
    return run_id.endswith(_OF_COPIES)


def copy_ready(source: Entry, claimed: Entry, ready: ReadyFile, max_bytes: int, known: Filesystem) -> ReadyFile:
    """Copies a ready file into the claim folder.

    Args:
        source: The file.
        claimed: The name of the copy.
        ready: What the file was when it became ready.
        max_bytes: Size of the largest file that is copied (bytes).
        known: See `Claimed.open`.

    Returns:
        The file with its digest.

    Raises:
        FileChanged: It is not ready any more, or changed while it was copied.
        FileRefused: It is too large, cannot be read, or is no regular file.
        FileExistsError: Another copy of its path is claimed.
        OSError: The machine has a problem.
    """
    if claimed.exists():
        raise FileExistsError
    with closing(Claimed.open(source, ready.path, b"", ready, known)) as original:
        size = original.stat.st_size
        if size > max_bytes:
            raise FileRefused(
                f"has {size} bytes, more than the limit of {max_bytes}, so it is not copied;"
                " raise images.max_bytes to allow it"
            )

        def check(_: os.stat_result) -> None:
            if original.was_modified() or not source.is_same_file(original.stat):
                raise FileChanged(writing=False)

        sha256 = ready.sha256 or copy.digest(original.fd)
        try:
            # Not synced: the decoder syncs each photo before its row exists, and until then the original counts.
            copy.copy_open(original.fd, claimed, sha256, check, synced=False)
        except copy.CopyDiffers as error:
            raise FileChanged(writing=False) from error
    return ready._replace(sha256=sha256)


def is_original(original: Entry, copied: Entry) -> bool:
    """Whether a file is the one that was copied, by size and time, or else by its bytes. Raises OSError."""
    stat, other = original.find(), copied.stat()
    if stat is None or not dirfd.is_regular(stat) or stat.st_size != other.st_size:
        return False
    return stat.st_mtime_ns == other.st_mtime_ns or original.sha256() == copied.sha256()
