"""How busy the stages of the pipeline are, so that the slowest one can be named."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Busy:
    """Seconds that each stage has worked. Used by any thread."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str, among: int = 1) -> Iterator[None]:
        """Counts the time of the block for a stage that `among` workers share."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += (time.perf_counter() - begun) / among  # type: ignore[assignment]

    @property
    def slowest(self) -> str | None:
        """The stage that has worked longest, for which the others wait; None before the first photo."""
        with self._lock:
            return max(self._seconds, key=self._seconds.__getitem__, default=None)
