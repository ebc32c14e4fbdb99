"""Finds the photos of companions: in the inbox, in the claim folder, or among the rows of sorted photos."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from daemon.database.companions import AT_REST, CompanionRecorder, SortedPhoto
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.inbox.companion_queue import Finding
from daemon.inbox.companions import CompanionRules, PhotoNames
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.originals import Originals
from daemon.inbox.undone import UndonePhotos
from daemon.photo import MOVING
from daemon.retry import Retrier
from models.errors import ImageErrorKind


class CompanionFinder:
    """Finds the photos of companions in one inbox. Used by one thread."""

    def __init__(
        self,
        rules: CompanionRules,
        claims: Claims,
        recorder: CompanionRecorder,
        undone: UndonePhotos,
        originals: Originals,
        retrier: Retrier,
        ignore: IgnoreRules,
    ) -> None:
        """Looks at nothing yet.

        Args:
            rules: Which files belong together.
            claims: The open inbox.
            recorder: Finds the rows of sorted photos.
            undone: Recognises undone photos in the inbox.
            originals: Recognises originals of copies in the inbox.
            retrier: Waits while the disk or the database is not available.
            ignore: Names in the inbox that are no photos.
        """
        self.rules = rules
        self._claims = claims
        self._recorder = recorder
        self._undone = undone
        self._originals = originals
        self._retrier = retrier
        self._ignore = ignore

    def find(self, paths: Iterable[bytes]) -> dict[bytes, Finding]:
        """Finds the photo of each companion, by their paths in the inbox. Raises RetryAborted."""
        listed: dict[bytes, tuple[PhotoNames, PhotoNames]] = {}
        found = {}
        for path in paths:
            folder, name = dirfd.split(path)
            if folder not in listed:
                listed[folder] = self._list(folder), self._list(self._claims.claim_folder(self._claims.run_id, path))
            here, claimed = listed[folder]
            if self.rules.photo_of(name, claimed):
                found[path] = Finding("inbox")
            elif photo := self.rules.photo_of(name, here):
                found[path] = self._in_inbox(dirfd.join(folder, photo)) or self._among_rows(folder, name)
            else:
                found[path] = self._among_rows(folder, name)
        return found

    def _list(self, folder: bytes) -> PhotoNames:
        """The photos in a folder, relative to the inbox; none where there is no such folder."""
        try:
            with dirfd.open_folder(self._claims.inbox_fd, folder) as fd:
                names = [os.fsencode(name) for name in os.listdir(fd)]
        except OSError:
            return {}
        return self.rules.index(name for name in names if not self._ignore(name))

    def _in_inbox(self, path: bytes) -> Finding | None:
        """Finds a photo in the inbox; None if no regular file has this name, or its copy is sorted."""
        stamp = self._claims.stamp(path)
        if stamp is None:
            return None
        is_undone = self._originals.is_undone(path, stamp)
        if is_undone is not None:
            return Finding("undone") if is_undone else None
        return Finding("undone" if self._undone.find({path: stamp}) else "inbox")

    def _among_rows(self, folder: bytes, name: bytes) -> Finding:
        ranges = [(dirfd.join(folder, low), dirfd.join(folder, high)) for low, high in self.rules.ranges(name)]
        rows = self._retrier(self._recorder.photos_in, ranges)
        names: Mapping[bytes, SortedPhoto] = {
            dirfd.split(row.inbox_path)[1]: row
            for row in reversed(rows)  # so that the newest of a name stays
            if dirfd.split(row.inbox_path)[0] == folder and _has_companions(row)
        }
        photo = self.rules.photo_of(name, self.rules.index(names))
        if photo is None:
            return Finding("none")
        row = names[photo]
        return Finding("inbox") if row.state in MOVING else Finding("row", row.id, _age_s(row))


def _has_companions(row: SortedPhoto) -> bool:
    """Whether companions follow a photo: not to a file that is no image, and not to one that is gone."""
    return row.state in {*AT_REST, *MOVING} and row.error_kind != ImageErrorKind.NOT_AN_IMAGE


def _age_s(row: SortedPhoto) -> float:
    """Time since a photo was sorted (s)."""
    if row.filed_at is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(row.filed_at)).total_seconds()
