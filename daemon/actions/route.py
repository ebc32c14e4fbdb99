"""The route of a photo during an action: its states, its places, and the columns that name them."""

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from daemon.photo import CompanionState, State
from daemon.queries.photo_rows import Photo

S = TypeVar("S", State, CompanionState)


Statements = tuple[sa.Insert | sa.Update | sa.Delete, ...]


class Transition(NamedTuple, Generic[S]):
    """The states of a photo during an action.

    Attributes:
        sources: Before it.
        moving: On the way.
        done: After it.
        gone: After it, when the photo is in no place.
    """

    sources: tuple[S, ...]
    moving: S
    done: S
    gone: S


class PlannedMove(NamedTuple):
    """A move that a photo's row names.

    Attributes:
        photo: The photo with its source as its path, and the identity, size and time of the file there.
        target: The place that it moves to; None when it is removed: deleted, or a copy whose original is in the inbox.
        original: The photo before the action; None in a recovery.
        revert: The statements that revert what else the action wrote, if the photo cannot be moved.
    """

    photo: Photo
    target: bytes | None
    original: Photo | None = None
    revert: Statements = ()


class Route(Protocol):
    """What differs between the actions."""

    @property
    def transition(self) -> Transition[Any]:
        """The states of a photo during the action."""

    def intent(self, move: PlannedMove, target: bytes | None) -> dict[str, Any]:
        """Returns the columns that name a move to a target."""

    def outcome(self, move: PlannedMove) -> dict[str, Any]:
        """Returns the columns of a photo that is at its target."""

    def places(self, move: PlannedMove) -> Iterable[bytes]:
        """Returns the places to try, the target first."""

    def of_row(self, photo: Photo, generation: str) -> PlannedMove:
        """Returns the move that a row names."""
