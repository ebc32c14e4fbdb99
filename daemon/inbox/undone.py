"""Photos that `foodsort undo` moved back to the inbox: they stay there until `foodsort retry`."""

import os
from collections.abc import Callable

from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import InboxRow
from daemon.database.timestamps import format_mtime, is_same_mtime
from daemon.inbox.claims import Claims
from daemon.inbox.stamp import FileStamp
from daemon.retry import Retrier

_PAGE_ROWS = 500
_SECONDS = len("2026-11-24T12:00:00")
"""Times are compared in whole seconds: some filesystems store no more, and report more for a while."""


class UndonePhotos:
    """Recognises undone photos among the files of the inbox. Used by one thread."""

    def __init__(
        self, recorder: Recorder, lookup: Lookup, retrier: Retrier, place_in_inbox: Callable[[bytes], bytes]
    ) -> None:
        """Looks at nothing yet.

        Args:
            recorder: Records new paths and identities.
            lookup: Finds the rows of undone photos.
            retrier: Waits while the database is not available.
            place_in_inbox: Returns the place, as rows name it, of a path in the inbox.
        """
        self._place_in_inbox = place_in_inbox
        self._recorder = recorder
        self._lookup = lookup
        self._retrier = retrier
        self._device = 0

    def find(self, stamps: dict[bytes, FileStamp]) -> set[bytes]:
        """Finds the files that are undone photos and have not changed since. The rows of renamed ones follow them.

        Nothing is remembered between two calls: there may be a million undone photos, and `foodsort retry` releases them.

        Args:
            stamps: Stamps of files, by their paths.

        Returns:
            The paths of undone photos. A file with several names is undone only under the name that it was moved back to;
            its other names are photos of their own.

        Raises:
            RetryAborted: The daemon is stopped.
        """
        if not stamps:
            return set()
        rows = self._retrier(self._lookup.undone, list({stamp.identity for stamp in stamps.values()}))
        if not rows:
            return set()
        undone = {_facts(row): row for row in rows}
        undone_names = {(row.inbox_path, _facts(row)) for row in rows}
        found = {
            path
            for path, stamp in stamps.items()
            if ((path, _stamp_facts(stamp)) in undone_names if stamp.linked else _stamp_facts(stamp) in undone)
        }
        renamed = {
            undone[_stamp_facts(stamps[path])].id: (path, self._place_in_inbox(path))
            for path in found
            if (path, _stamp_facts(stamps[path])) not in undone_names
        }
        if renamed:
            self._retrier(self._recorder.move_in_inbox, renamed)
        return found

    def update_identities(self, claims: Claims) -> None:
        """Records new identities when the inbox's filesystem was mounted as another device.

        The photos are recognised by path, size and time. Raises RetryAborted.
        """
        device = self._retrier(os.fstat, claims.inbox_fd).st_dev
        if device == self._device:
            return
        rows = self._retrier(self._lookup.in_inbox, 0, _PAGE_ROWS)
        while rows:
            self._retrier(self._recorder.identify, _changed_identities(rows, claims))
            rows = self._retrier(self._lookup.in_inbox, rows[-1].id, _PAGE_ROWS)
        self._device = device

    def reset(self) -> None:
        """Forgets the device, since the inbox is another folder now."""
        self._device = 0


def _changed_identities(rows: list[InboxRow], claims: Claims) -> dict[int, str]:
    """Returns the new identities of photos, by the ids of their rows."""
    changed = {}
    for row in rows:
        stamp = claims.stamp(row.inbox_path)
        if stamp is None or stamp.size != row.size_bytes or not is_same_mtime(stamp.mtime_ns, row.modified_at):
            continue
        if row.identity != stamp.identity:
            changed[row.id] = stamp.identity
    return changed


def _facts(row: InboxRow) -> tuple[str, int, str]:
    return row.identity, row.size_bytes, row.modified_at[:_SECONDS]


def _stamp_facts(stamp: FileStamp) -> tuple[str, int, str]:
    return stamp.identity, stamp.size, format_mtime(stamp.mtime_ns)[:_SECONDS]
