"""Originals: files in the inbox that stay there while their copies are sorted. No content is taken twice at one path."""

from collections.abc import Callable, Iterable

import structlog

from daemon.database.lookup import Lookup
from daemon.database.original_rows import NewOriginal, undone_columns
from daemon.database.originals import Original, OriginalRecorder
from daemon.database.timestamps import format_mtime
from daemon.inbox.claimed_photo import Claimed
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.photo import RETRY, UNDOING, UNDONE
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()


def is_taken(original: Original, place_in_inbox: Callable[[bytes], bytes]) -> bool:
    """Whether an original stays: unless its photo is to be sorted again, or its companion came back with an undone photo."""
    if original.companion_place is not None:
        return original.companion_place != place_in_inbox(original.path)
    return original.state != RETRY


def recognise(
    path: bytes,
    same_bytes: Iterable[Original],
    is_taken: Callable[[Original], bool],
    has_left: Callable[[Original], bool],
) -> Original | None:
    """Finds the original that a file is.

    Args:
        path: Path of the file.
        same_bytes: Originals of its bytes.
        is_taken: Whether an original stays in the inbox.
        has_left: Whether an original is no longer at its path.

    Returns:
        The original of its path, or one that was renamed to it; None if the file is to be taken.
    """
    rows = list(same_bytes)
    for row in rows:
        if row.path == path:
            return row if is_taken(row) else None
    return next((row for row in rows if is_taken(row) and has_left(row)), None)


class Originals:
    """Recognises originals among the files of the inbox. Used by one thread."""

    def __init__(
        self,
        recorder: OriginalRecorder,
        lookup: Lookup,
        claims: Claims,
        retrier: Retrier,
        place_in_inbox: Callable[[bytes], bytes],
    ) -> None:
        """Looks at nothing yet.

        Args:
            recorder: Reads and writes rows of originals.
            lookup: Finds the rows of sorted photos.
            claims: The open inbox.
            retrier: Waits while the disk or the database is not available.
            place_in_inbox: Returns the place, as rows name it, of a path in the inbox.
        """
        self._recorder = recorder
        self._lookup = lookup
        self._claims = claims
        self._retrier = retrier
        self._place_in_inbox = place_in_inbox
        self._in_use = claims.copies

    def find(self, stamps: dict[bytes, FileStamp]) -> set[bytes]:
        """Returns the paths of the files that are originals and were not touched since. Raises RetryAborted.

        Args:
            stamps: Stamps of files, by their paths.
        """
        if not stamps or not self._is_in_use():
            return set()
        rows = self._retrier(self._recorder.at_paths, list(stamps))
        return {row.path for row in rows if row.stamp == stamps[row.path].text and self._is_taken(row)}

    def is_undone(self, path: bytes, stamp: FileStamp) -> bool | None:
        """Whether the photo of an original is undone, None if the file is no original. Raises RetryAborted."""
        if not self._is_in_use():
            return None
        for row in self._retrier(self._recorder.at_paths, [path]):
            if row.stamp == stamp.text and self._is_taken(row):
                return row.state in {UNDOING, UNDONE}
        return None

    def untaken(self, ready: list[ReadyFile]) -> list[ReadyFile]:
        """Returns the files that are to be taken, with their digests: where stamps differ, the bytes decide.

        Raises:
            RetryAborted: The daemon is stopped.
        """
        if not ready or not self._is_in_use():
            return ready
        found = self.find({file.path: file.stamp for file in ready})
        files = [file._replace(sha256=self._claims.digest(file)) for file in ready if file.path not in found]
        at_paths = self._retrier(self._recorder.at_paths, [file.path for file in files])
        here = {(row.path, row.sha256): row for row in at_paths}
        seen: set[int] = set()
        untaken = []
        for file in files:
            row = self._recognise(file, here.get((file.path, file.sha256)), seen) if file.sha256 else None
            if row is not None:
                seen.add(row.id)
                self._see_again(row, file)
            elif not self._adopt(file, here):
                untaken.append(file)
        return untaken

    def unrecorded(self, claimed: list[Claimed]) -> list[Claimed]:
        """Returns the copies that are to be sorted, and drops those of originals that are taken meanwhile.

        A copy is claimed when no other copy of its path is. So an earlier one has left the claim folder and has its row,
        even if it had none when the file was looked at.

        Raises:
            RetryAborted: The daemon is stopped.
        """
        if not claimed or not self._claims.copies:
            return claimed
        rows = self._retrier(self._recorder.at_paths, [photo.path for photo in claimed])
        taken = {(row.path, row.sha256) for row in rows if self._is_taken(row)}
        kept = []
        for photo in claimed:
            if (photo.path, photo.sha256) in taken:
                photo.close()
                self._claims.give_back(photo.path, photo.run_id)
            else:
                kept.append(photo)
        return kept

    def _recognise(self, file: ReadyFile, own: Original | None, seen: set[int]) -> Original | None:
        same_bytes = [own] if own else self._retrier(self._recorder.of_bytes, file.sha256)
        return recognise(file.path, (row for row in same_bytes if row.id not in seen), self._is_taken, self._has_left)

    def _has_left(self, original: Original) -> bool:
        """Whether an original is no longer at its path: another file may be there."""
        stat = self._retrier(self._claims.stat, original.path)
        if stat is None:
            return True
        stamp = self._claims.stamp_of(original.path, stat)
        if stamp.text == original.stamp:
            return False
        there = ReadyFile(original.path, stamp, 0.0, overdue=True)
        return self._claims.digest(there) not in {original.sha256, ""}

    def _see_again(self, original: Original, file: ReadyFile) -> None:
        renamed = original.path != file.path
        log.info("an original was renamed" if renamed else "an original was touched", photo=escape_name(file.path))
        stamp = file.stamp
        undone = undone_columns(self._place_in_inbox(file.path), stamp.identity, format_mtime(stamp.mtime_ns))
        self._retrier(self._recorder.see_again, original.id, file.path, stamp.text, undone)

    def _adopt(self, file: ReadyFile, here: dict[tuple[bytes, str], Original]) -> bool:
        """Whether a file is the original of a sorted photo without one, which has its path and bytes.

        The photo was moved before the inbox was synced, and the sync tool brought it back; or the database was lost, and
        `foodsort repair` has added the photo's row.
        """
        if not file.sha256 or not self._claims.copies or (file.path, file.sha256) in here:
            return False
        photo_id = self._retrier(self._lookup.sorted_from, file.path, file.sha256)
        if photo_id is None:
            return False
        log.info("a sorted photo came back to the inbox; it is not sorted again", photo=escape_name(file.path))
        new = NewOriginal(file.path, file.sha256, file.stamp.text)
        self._retrier(self._recorder.adopt, photo_id, new)
        return True

    def _is_taken(self, original: Original) -> bool:
        return is_taken(original, self._place_in_inbox)

    def _is_in_use(self) -> bool:
        """Whether there may be originals: files are copied, or were copied before the settings changed."""
        self._in_use = self._in_use or self._retrier(self._recorder.exist)
        return self._in_use
