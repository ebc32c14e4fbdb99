"""Which failures of a photo may pass by themselves, and when it is tried again. Pure."""

from collections import OrderedDict
from typing import NamedTuple

from models.errors import ImageErrorKind

TRANSIENT = {ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT}
"""Kinds that may tell of the machine (short of memory, busy) as well as of the photo."""
PAUSES_S = (2.0, 10.0)
"""Seconds to wait after the first try, the second, and so on; a failure after one more try stands."""

_MOST = 1_000  # photos remembered; what is forgotten is tried once more than it would be


class Attempt(NamedTuple):
    """A try of a photo: the how manieth it was, from 1, and how long to wait for the next (s); None: it stands."""

    number: int
    pause_s: float | None


class AttemptTracker:
    """Counts the failed tries of photos, by device and inode, and path where one has several, within one life of the daemon."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, int] = OrderedDict()

    def judge(self, identity: str, kind: ImageErrorKind | None) -> Attempt:
        """What follows from a try that failed with `kind` (None: it did not)."""
        before = self._failed.pop(identity, 0)
        if kind not in TRANSIENT or before >= len(PAUSES_S):
            return Attempt(before + 1, None)
        self._failed[identity] = before + 1
        if len(self._failed) > _MOST:
            self._failed.popitem(last=False)
        return Attempt(before + 1, PAUSES_S[before])
