"""Whether every stage of the pipeline moves: each photo that comes to one leaves it within its time."""

import threading
import time
from collections.abc import Callable
from typing import Literal, get_args

Stage = Literal["decode", "classify", "file"]

STILL_S = 120.0
"""How long network or filing may have work and get none done (s): minutes more than the slowest batch on the slowest CPU takes.

What is waited out on purpose, such as a full disk, does not count.
"""


class StageMonitor:
    """Counts the photos in each stage, and when one last left it. Used by any thread."""

    def __init__(self, decode_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """decode_s: how long the decoders may take for a photo before they give up on it, worker's start and all (s)."""
        self._limits: dict[Stage, float] = {"decode": decode_s, "classify": STILL_S, "file": STILL_S}
        self._clock = clock
        self._photos: dict[Stage, int] = dict.fromkeys(get_args(Stage), 0)
        self._moved: dict[Stage, float] = dict.fromkeys(get_args(Stage), clock())
        self._lock = threading.Lock()

    def comes(self, stage: Stage, photos: int = 1) -> None:
        """Photos come to a stage."""
        with self._lock:
            if not self._photos[stage]:  # it had nothing to do
                self._moved[stage] = self._clock()
            self._photos[stage] += photos

    def goes(self, stage: Stage, photos: int = 1) -> None:
        """Photos leave a stage."""
        with self._lock:
            self._photos[stage] -= photos
            self._moved[stage] = self._clock()

    def excuse(self) -> None:
        """Trouble is being waited out: no stage can be expected to move, and from now on each has its whole time again."""
        with self._lock:
            self._moved = dict.fromkeys(self._moved, self._clock())

    @property
    def stuck(self) -> str | None:
        """The stage that has photos and does not move, in words; None when all is well."""
        now = self._clock()
        with self._lock:
            for stage, photos in self._photos.items():
                still_s = now - self._moved[stage]
                if photos and still_s > self._limits[stage]:
                    return f"{stage} has not moved for {still_s:.0f} s with {photos} photos to do"
        return None
