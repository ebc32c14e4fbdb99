"""Agreement of the model with people, on the photos that people labelled. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from models.intervals import wilson_interval

LabelPairs = Mapping[tuple[str, str], int]
"""Numbers of photos by a person's label and the model's, which may be `unsure`."""


class Share(NamedTuple):
    """A number of photos and how many of them are right."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.right / self.of

    @property
    def ci95(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson_interval(self.right, self.of)


class Agreement(NamedTuple):
    """Metrics with food as the positive class; None where there is no photo to count.

    Attributes:
        photos: Photos that people labelled and the model classified.
        accuracy: Right labels among those that the model was sure of.
        precision: Photos of food among those that the model labelled food.
        recall: Photos that the model labelled food among those of food; `unsure` counts as missed.
    """

    photos: int
    accuracy: Share | None
    precision: Share | None
    recall: Share | None


def agreement(pairs: LabelPairs) -> Agreement:
    """Computes the metrics."""

    def count(people: tuple[str, ...], model: tuple[str, ...]) -> int:
        return sum(pairs.get((person, predicted), 0) for person in people for predicted in model)

    labels = ("food", "non_food")
    true_positives = count(("food",), ("food",))
    return Agreement(
        photos=sum(pairs.values()),
        accuracy=_share(true_positives + count(("non_food",), ("non_food",)), count(labels, labels)),
        precision=_share(true_positives, count(labels, ("food",))),
        recall=_share(true_positives, count(("food",), (*labels, "unsure"))),
    )


def _share(right: int, of: int) -> Share | None:
    return Share(right, of) if of else None
