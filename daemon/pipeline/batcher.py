"""Gathers decoded photos into batches for the network."""

import threading
import time
from collections import deque
from collections.abc import Callable

from daemon.pipeline.decode import Decoded


def closes(size: int, oldest_s: float, coming: int, *, max_size: int, max_delay_s: float) -> bool:
    """Whether a batch of `size` photos, the oldest of which has waited `oldest_s`, is run now.

    It is when it is full, when its oldest photo has waited long enough, or when nothing else is on its way (`coming`).
    """
    return size > 0 and (size >= max_size or oldest_s >= max_delay_s or coming == 0)


class Batcher:
    """A queue from the decoders to the network. `coming` says how many photos are being decoded."""

    def __init__(
        self, max_size: int, max_delay_s: float, coming: Callable[[], int], taken: Callable[[float], None]
    ) -> None:
        """taken: called for each photo of a batch with when it was put here (monotonic s)."""
        self._max_size, self._max_delay_s, self._coming, self._taken = max_size, max_delay_s, coming, taken
        self._waiting: deque[tuple[float, Decoded]] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def put(self, decoded: Decoded) -> None:
        """Adds a photo."""
        with self._changed:
            self._waiting.append((time.monotonic(), decoded))
            self._changed.notify_all()

    def nudge(self) -> None:
        """Says that `coming` has changed."""
        with self._changed:
            self._changed.notify_all()

    def end(self) -> list[Decoded]:
        """Ends the queue and returns what was still waiting."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            left = [decoded for _, decoded in self._waiting]
            self._waiting.clear()
            return left

    def take(self) -> list[Decoded] | None:
        """Waits for a batch; None when the queue has ended."""
        waited = self._next()
        if waited is None:
            return None
        for since, _ in waited:
            self._taken(since)
        return [decoded for _, decoded in waited]

    def _next(self) -> list[tuple[float, Decoded]] | None:
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                oldest_s = now - self._waiting[0][0] if self._waiting else 0.0
                size = min(len(self._waiting), self._max_size)
                if closes(size, oldest_s, self._coming(), max_size=self._max_size, max_delay_s=self._max_delay_s):
                    return [self._waiting.popleft() for _ in range(size)]
                self._changed.wait(self._max_delay_s - oldest_s if self._waiting else None)
            return None
