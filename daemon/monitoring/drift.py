"""Drift: whether the newest photos look to the model like those it was made with. Pure: it takes probabilities."""

from collections import deque
from collections.abc import Iterable

from daemon.monitoring.status_document import DriftStatus
from models.bundle import Card
from models.reference import Reference, stability_index

WINDOW = 1000
"""Number of newest photos that are compared."""
ENOUGH = 200
"""Least photos for a comparison: chance alone brings the index of fewer photos near its limit."""
SHIFTED = 0.25
"""Stability index above which the photos differ from those of the model; see `models.reference.stability_index`."""


class DriftWindow:
    """The calibrated P(food) of the newest photos."""

    def __init__(self, card: Card, newest: Iterable[float] = ()) -> None:
        """Starts with the probabilities of earlier photos.

        Args:
            card: Card of the model.
            newest: P(food) of the newest photos, oldest first.
        """
        self._thresholds = card.thresholds
        self._reference = card.reference
        self._newest: deque[float] = deque(newest, WINDOW)

    def add(self, p_food: Iterable[float]) -> None:
        """Adds photos, oldest first."""
        self._newest.extend(p_food)

    def drift(self) -> DriftStatus | None:
        """Compares the photos; None when they are few or the card has no reference."""
        newest = self._newest.copy()  # stays whole while other threads add photos
        if self._reference is None or len(newest) < ENOUGH:
            return None
        current = Reference.of(newest, self._thresholds)
        stability = stability_index(self._reference.histogram, current.histogram)
        return {
            "photos": len(newest),
            "stability": stability,
            "food": current.food,
            "unsure": current.unsure,
            "expected_food": self._reference.food,
            "expected_unsure": self._reference.unsure,
            "shifted": stability > SHIFTED,
        }
