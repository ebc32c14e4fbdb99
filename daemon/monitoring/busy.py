"""How busy the stages of the pipeline were lately, so that the slowest one can be named."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

_MINUTES = 5


class Utilization:
    """Seconds that each stage has worked in each of the last minutes. Used by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minutes: deque[tuple[int, Counter[str]]] = deque(maxlen=_MINUTES)
        self._lock = threading.Lock()

    def add(self, stage: str, seconds: float) -> None:
        """Takes note of work that has ended now."""
        minute = self._minute()
        with self._lock:
            if not self._minutes or self._minutes[-1][0] != minute:
                self._minutes.append((minute, Counter()))
            self._minutes[-1][1][stage] += seconds  # type: ignore[assignment]

    @property
    def slowest(self) -> str | None:
        """The stage that has worked longest in the last five minutes, for which the others wait; None when none has."""
        since, worked = self._minute() - _MINUTES, Counter[str]()
        with self._lock:
            for minute, seconds in self._minutes:
                if minute > since:
                    worked += seconds
        return max(worked, key=worked.__getitem__, default=None)

    def _minute(self) -> int:
        return int(self._clock() // 60)
