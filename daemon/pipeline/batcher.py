"""Gathers decoded photos into batches for the network."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from daemon.pipeline.decode import Decoded

_SMALLEST = 4
"""Photos for which another batch is worth its transaction and syncs."""


def batch_size(remaining: int, *, streams: int, max_size: int) -> int:
    """Returns the size of the next batch: an even share of the remaining photos, so that all streams end together.

    This is guided self-scheduling (Polychronopoulos and Kuck 1987, doi 10.1109/TC.1987.5009495).

    Args:
        remaining: Photos that wait or are being decoded.
        streams: Batches that run at a time.
        max_size: Most photos in a batch.
    """
    return min(max_size, max(_SMALLEST, math.ceil(remaining / streams)))


def closes(waiting: int, oldest_s: float, coming: int, *, size: int, max_delay_s: float) -> bool:
    """Whether a batch closes: it is full, its oldest photo has waited long enough, or no other photo is coming.

    Args:
        waiting: Number of photos that wait.
        oldest_s: Wait of the oldest (s).
        coming: Number of photos that are being decoded.
        size: Photos of the batch.
        max_delay_s: Longest wait of a photo (s).
    """
    return waiting > 0 and (waiting >= size or oldest_s >= max_delay_s or coming == 0)


class Batcher:
    """A queue from the decoders to the classifier threads."""

    def __init__(
        self,
        *,
        streams: int,
        max_size: int,
        max_delay_s: float,
        coming: Callable[[], int],
        on_take: Callable[[float], None],
    ) -> None:
        """Creates an empty queue.

        Args:
            streams: Batches that run at a time.
            max_size: Most photos in a batch.
            max_delay_s: Longest wait of a photo (s).
            coming: Returns the number of photos that are being decoded.
            on_take: Called for each photo of a batch with the start of its wait (monotonic s).
        """
        self._streams = streams
        self._max_size = max_size
        self._max_delay_s = max_delay_s
        self._coming = coming
        self._on_take = on_take
        self._waiting: deque[tuple[float, Decoded]] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def put(self, decoded: Decoded) -> None:
        """Adds a photo. Wakes the classifiers only if it starts their clock or closes a batch."""
        with self._changed:
            self._waiting.append((time.monotonic(), decoded))
            if len(self._waiting) == 1 or self._closes():
                self._changed.notify_all()

    def nudge(self) -> None:
        """Signals that `coming` has changed."""
        with self._changed:
            self._changed.notify_all()

    def end(self) -> list[Decoded]:
        """Ends the queue and returns the photos that still waited."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            remaining = [decoded for _, decoded in self._waiting]
            self._waiting.clear()
            return remaining

    def take(self) -> list[Decoded] | None:
        """Waits for a batch; None when the queue has ended."""
        batch = self._next_batch()
        if batch is None:
            return None
        for since, _ in batch:
            self._on_take(since)
        return [decoded for _, decoded in batch]

    def _next_batch(self) -> list[tuple[float, Decoded]] | None:
        with self._changed:
            while not self._ended:
                if self._closes():
                    return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._size))]
                self._changed.wait(self._max_delay_s - self._oldest_s if self._waiting else None)
            return None

    @property
    def _oldest_s(self) -> float:
        return time.monotonic() - self._waiting[0][0] if self._waiting else 0.0

    @property
    def _size(self) -> int:
        return batch_size(len(self._waiting) + self._coming(), streams=self._streams, max_size=self._max_size)

    def _closes(self) -> bool:
        return closes(
            len(self._waiting), self._oldest_s, self._coming(), size=self._size, max_delay_s=self._max_delay_s
        )
