"""Places at which something has changed, until nothing has changed there for a while. Pure: time is an argument."""

from collections.abc import Iterable
from typing import NamedTuple

_MOST_PLACES = 100_000


class Due(NamedTuple):
    """Places to be looked at.

    Attributes:
        places: Places that have stood still.
        lost: Those of them whose photo is gone for so long that it counts as removed.
    """

    places: list[bytes]
    lost: frozenset[bytes]


class Settling:
    """The places that wait, each once. Used by one thread.

    Attributes:
        overflowed: Whether places were dropped because too many wait; the caller scans all folders then.
    """

    def __init__(self, settle_s: float, lost_s: float, most: int = _MOST_PLACES) -> None:
        """Creates it without places.

        Args:
            settle_s: How long a place stands still before it is looked at (s).
            lost_s: How long a photo without a place is looked for after that (s).
            most: Most places that wait.
        """
        self._settle_s = settle_s
        self._lost_s = lost_s
        self._most = most
        # Dictionaries keep the order of insertion, and each has one delay: the first place is always the next one.
        self._changed: dict[bytes, float] = {}
        self._gone: dict[bytes, float] = {}
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._changed) + len(self._gone)

    def __contains__(self, place: bytes) -> bool:
        return place in self._changed or place in self._gone

    def touch(self, places: Iterable[bytes], now: float) -> None:
        """Notes that something has changed at places; each waits from now on."""
        for place in places:
            if self._changed.pop(place, None) is None and len(self) >= self._most:
                self.overflowed = True
                continue
            self._changed[place] = now + self._settle_s

    def wait_for(self, places: Iterable[bytes], now: float) -> None:
        """Notes that the photos of places are gone; those that wait already wait no longer for that."""
        for place in places:
            self._gone.setdefault(place, now + self._lost_s)

    def due(self, now: float, limit: int) -> Due:
        """Takes at most `limit` of each kind of places that are due."""
        changed = _take(self._changed, now, limit)
        lost = _take(self._gone, now, limit)
        return Due(list(dict.fromkeys([*changed, *lost])), frozenset(lost))

    @property
    def next_at(self) -> float | None:
        """Time at which the next place is due; None if none waits."""
        firsts = [next(iter(waiting.values())) for waiting in (self._changed, self._gone) if waiting]
        return min(firsts, default=None)

    def clear(self) -> None:
        """Forgets all places."""
        self._changed.clear()
        self._gone.clear()
        self.overflowed = False


def _take(waiting: dict[bytes, float], now: float, limit: int) -> list[bytes]:
    taken: list[bytes] = []
    for place, due_at in waiting.items():
        if due_at > now or len(taken) >= limit:
            break
        taken.append(place)
    for place in taken:
        del waiting[place]
    return taken
