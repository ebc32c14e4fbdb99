"""The states of a photo's row."""

from typing import Literal

State = Literal["filing", "filed", "failed", "duplicate", "missing", "undoing", "undone", "retrying", "retry"]

FILING = "filing"
"""On its way to its place."""
FILED = "filed"
FAILED = "failed"
DUPLICATE = "duplicate"
"""Set aside, since a photo of the same bytes is filed."""
MISSING = "missing"
"""Taken away by somebody else while it was on its way."""
UNDOING = "undoing"
"""On its way back to the inbox, to stay there."""
UNDONE = "undone"
"""In the inbox, and not sorted until asked for."""
RETRYING = "retrying"
"""On its way back to the inbox, to be sorted again."""
RETRY = "retry"
"""In the inbox, to be sorted again."""
