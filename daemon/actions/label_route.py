"""The route of a photo to the folder of another label, because of a person's label or another model's."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from daemon.actions.route import PlannedMove, Transition
from daemon.database.rows import path_columns
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders
from daemon.photo import CORRECTING, FILED, MISSING, State
from daemon.queries.photo_rows import Photo
from models.filenames import escape_name, unescape_name

CORRECT: Transition[State] = Transition((FILED,), CORRECTING, FILED, MISSING)


@dataclass(frozen=True)
class LabelRoute:
    """The way to the folder of another label: the row names the target as its path, and the source in `generation`."""

    destinations: DestinationFolders
    transition: Transition[State] = CORRECT

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns the columns for both places."""
        return path_columns(target or b"") | {"generation": escape_name(move.photo.path)}

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns for the new place."""
        return path_columns(move.target or b"") | {"filed_at": format_time(datetime.now(UTC))}

    def places(self, move: PlannedMove) -> Iterator[bytes]:
        """Returns the target, then the name that the photo has and numbers in the target's folder."""
        target = move.target or b""
        beside = os.path.join(os.path.dirname(target), os.path.basename(move.photo.path))
        return itertools.chain([target], self.destinations.free_places(beside))

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the move that a row names."""
        return PlannedMove(photo._replace(path=unescape_name(generation)), photo.path)
