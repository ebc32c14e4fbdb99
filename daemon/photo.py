"""The states of a photo's row."""

from dataclasses import dataclass
from typing import Final, Literal

from models import Label

State = Literal[
    "filing",
    "filed",
    "correcting",
    "failed",
    "deleting",
    "deleted",
    "duplicate",
    "missing",
    "undoing",
    "undone",
    "retrying",
    "retry",
]

FILING: Final = "filing"
"""On its way to its place."""
FILED: Final = "filed"
CORRECTING: Final = "correcting"
"""On its way from the folder of one label to that of another, which a person gave it."""
FAILED: Final = "failed"
DELETING: Final = "deleting"
"""Failed, and about to be removed."""
DELETED: Final = "deleted"
"""Failed, and removed since a person asked for that."""
DUPLICATE: Final = "duplicate"
"""Set aside, since a photo of the same bytes is filed."""
MISSING: Final = "missing"
"""Taken away by somebody else while it was on its way."""
UNDOING: Final = "undoing"
"""On its way back to the inbox, to stay there."""
UNDONE: Final = "undone"
"""In the inbox, and not sorted until asked for."""
RETRYING: Final = "retrying"
"""On its way back to the inbox, to be sorted again."""
RETRY: Final = "retry"
"""In the inbox, to be sorted again."""

Destination = Label | Literal["duplicate"] | None
"""Which folder a photo goes to; None: it failed."""


@dataclass(frozen=True)
class Prediction:
    """What the network said of a photo: its logit, the calibrated P(food) and the label that follows."""

    logit: float
    probability: float
    label: Label


@dataclass(frozen=True)
class Failure:
    """Why a photo was not classified: kind for programs, message for people."""

    kind: str
    message: str
