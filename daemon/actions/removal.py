"""The route of a file that is deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from daemon.actions.route import PlannedMove, Transition
from daemon.queries.photo_rows import Photo


@dataclass(frozen=True)
class Removal:
    """No way back: the row names no target."""

    transition: Transition[Any]

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns no columns."""
        return {}

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns no columns."""
        return {}

    def places(self, move: PlannedMove) -> Iterable[bytes]:
        """Returns no places."""
        return ()

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the removal that a row names."""
        return PlannedMove(photo, None)
