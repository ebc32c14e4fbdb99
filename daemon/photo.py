"""Facts about a photo: the state of its row, its destination, its prediction or its failure."""

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
    "other",
    "missing",
    "undoing",
    "undone",
    "retrying",
    "retry",
]

FILING: Final = "filing"
"""Moving to its place."""
FILED: Final = "filed"
"""At its place."""
CORRECTING: Final = "correcting"
"""Moving to the folder of a person's label, or of another model's."""
FAILED: Final = "failed"
"""In `failed/`: it could not be classified."""
DELETING: Final = "deleting"
"""Failed, and about to be removed."""
DELETED: Final = "deleted"
"""Failed, and removed by a person."""
DUPLICATE: Final = "duplicate"
"""Set aside, because a photo of the same bytes is filed."""
OTHER: Final = "other"
"""In the folder for files that are no images."""
MISSING: Final = "missing"
"""Removed by somebody else, from its place or while it was moving."""
UNDOING: Final = "undoing"
"""Moving back to the inbox, to stay there."""
UNDONE: Final = "undone"
"""In the inbox; not sorted until a person asks for it."""
RETRYING: Final = "retrying"
"""Moving back to the inbox, to be sorted again."""
RETRY: Final = "retry"
"""In the inbox, to be sorted again."""

MOVING: Final = (FILING, CORRECTING, DELETING, UNDOING, RETRYING)
"""States of a photo on its way. Another state follows, usually within milliseconds."""

CompanionState = Literal["filing", "filed", "following", "moving", "returning", "deleting", "deleted", "missing"]

FOLLOWING: Final = "following"
"""At its place, while an action moves its photo; it moves next."""
COMPANION_MOVING: Final = "moving"
"""On its way to the photo."""
RETURNING: Final = "returning"
"""Being removed: it is a copy, and its original is in the inbox, as that of its photo."""

UNREAD_SHA256: Final = "0" * 64
"""In place of the digest of a file that is not read, because it is larger than `images.max_bytes`."""

Destination = Label | Literal["duplicate", "other"] | None
"""Folder of a photo; None is `failed/`."""


@dataclass(frozen=True)
class Prediction:
    """Output of the network for a photo.

    Attributes:
        logit: Output before calibration.
        probability: Calibrated P(food) in [0, 1].
        label: Label that follows from the probability.
        look: Side of the pictures of the look that decided (pixels); None if unknown.
    """

    logit: float
    probability: float
    label: Label
    look: int | None = None


@dataclass(frozen=True)
class Failure:
    """Reason why a photo was not classified.

    Attributes:
        kind: Kind for programs.
        message: Message for people.
    """

    kind: str
    message: str
