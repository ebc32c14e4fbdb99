"""Arguments of queries: sort orders, groups and paths. Imports no database library, so commands start fast."""

from dataclasses import dataclass
from typing import Literal

SortOrder = Literal["newest", "oldest", "certainty", "name"]
"""The order of photos. `certainty`: least certain predictions first; photos without a prediction are left out."""

GroupBy = Literal["day", "label", "model", "camera"]
"""The groups of counts. `day`: the UTC day on which a photo was classified or, if it failed, claimed."""


@dataclass(frozen=True)
class PathArgument:
    """A path in a command's arguments or on its stdin.

    Attributes:
        text: The path as it was typed or read.
        literal: The text is a name and never a pattern, as on a line of stdin.
    """

    text: str
    literal: bool = False
