"""Whether the photos of late look to the model as those did that it was made with. Pure: it is told probabilities."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from models.bundle import Card
from models.reference import Reference, stability_index

WINDOW = 1000
ENOUGH = 200
"""Photos below which nothing is said: chance alone would bring the index of fewer near its limit."""
SHIFTED = 0.25
"""Index above which the photos count as others than the model was made for; see `models.reference.stability_index`."""


class Drift(NamedTuple):
    """photos: how many of late were looked at. stability: population stability index of their P(food) against the model's card.

    food, unsure: shares among them; expected_food, expected_unsure: on the card.
    """

    photos: int
    stability: float
    food: float
    unsure: float
    expected_food: float
    expected_unsure: float

    @property
    def shifted(self) -> bool:
        """Whether the difference is more than chance and the weather."""
        return self.stability > SHIFTED


class Window:
    """The calibrated P(food) of the newest photos."""

    def __init__(self, card: Card, newest: Iterable[float] = ()) -> None:
        self._thresholds, self._reference = card.thresholds, card.reference
        self._newest: deque[float] = deque(newest, WINDOW)

    def add(self, p_food: Iterable[float]) -> None:
        """Takes note of photos, oldest first."""
        self._newest.extend(p_food)

    def drift(self) -> Drift | None:
        """What can be said; None for a bundle whose card has no reference, and while the photos are few."""
        newest = self._newest.copy()  # whole, whatever is added meanwhile
        if self._reference is None or len(newest) < ENOUGH:
            return None
        found = Reference.of(newest, self._thresholds)
        index = stability_index(self._reference.histogram, found.histogram)
        shares = (found.food, found.unsure, self._reference.food, self._reference.unsure)
        return Drift(len(newest), index, *shares)
