"""How far the model agrees with people, by the photos that they labelled. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from models.intervals import wilson_interval

LabelPair = Mapping[tuple[str, str], int]
"""Photos by a person's label and the model's; the model may have said `unsure`."""


class Share(NamedTuple):
    """So many of so many."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.right / self.of

    @property
    def ci95(self) -> tuple[float, float]:
        """The 95 % interval, Wilson's."""
        return wilson_interval(self.right, self.of)


class Agreement(NamedTuple):
    """Food is the positive class. A share of no photos is None.

    photos: that people labelled and the model had judged. accuracy: right of those that it was sure of.
    precision: food of what it called food. recall: called food of what is food; what it was not sure of counts as not found.
    """

    photos: int
    accuracy: Share | None
    precision: Share | None
    recall: Share | None


def agreement(said: LabelPair) -> Agreement:
    """The figures of what people and the model said."""

    def count(people: tuple[str, ...], model: tuple[str, ...]) -> int:
        return sum(said.get((person, its), 0) for person in people for its in model)

    labels = ("food", "non_food")
    both = count(("food",), ("food",))
    return Agreement(
        photos=sum(said.values()),
        accuracy=_share(both + count(("non_food",), ("non_food",)), count(labels, labels)),
        precision=_share(both, count(labels, ("food",))),
        recall=_share(both, count(("food",), (*labels, "unsure"))),
    )


def _share(right: int, of: int) -> Share | None:
    return Share(right, of) if of else None
