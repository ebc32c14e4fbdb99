"""Attempts to decode a photo: which failures are tried again, and when. Pure."""

from collections import OrderedDict
from typing import NamedTuple

from models.errors import ImageErrorKind

TRANSIENT = {ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT}
"""Kinds that the machine (short of memory, busy) may cause as well as the photo."""
PAUSES_S = (2.0, 10.0)
"""Pauses after the first attempt, the second, and so on (s); the failure after the last of them is final."""

_MAX_PHOTOS = 1_000  # a photo that is forgotten gets one more attempt than it would


class Attempt(NamedTuple):
    """An attempt to decode a photo.

    Attributes:
        number: Number of the attempt, from 1.
        pause_s: Pause before the next attempt (s); None: its result is final.
    """

    number: int
    pause_s: float | None


class AttemptTracker:
    """Counts failed attempts in one run of the daemon, by device and inode, and path for hard links."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, int] = OrderedDict()

    def record(self, identity: str, kind: ImageErrorKind | None) -> Attempt:
        """Records an attempt.

        Args:
            identity: The photo.
            kind: Kind of the failure; None for a success.

        Returns:
            The attempt, with the pause before the next one.
        """
        failures = self._failures.pop(identity, 0)
        if kind not in TRANSIENT or failures >= len(PAUSES_S):
            return Attempt(failures + 1, None)
        self._failures[identity] = failures + 1
        if len(self._failures) > _MAX_PHOTOS:
            self._failures.popitem(last=False)
        return Attempt(failures + 1, PAUSES_S[failures])
