"""A photo's way from the claim folder to its place."""

from dataclasses import dataclass, replace

from daemon.photo import Destination, Failure


@dataclass(frozen=True)
class Move:
    """A claimed photo and where it goes. source: its path in the inbox; target: its place as the row names it.

    identity: its device and inode when it was claimed.
    attempts, first_failed_at, model: what the reason beside a failed photo tells of its tries.
    """

    photo_id: int
    run_id: bytes
    source: bytes
    target: bytes
    fate: Destination
    identity: str
    sha256: str
    failure: Failure | None
    attempts: int
    first_failed_at: str | None
    model: str

    def to(self, target: bytes) -> "Move":
        """The same move to another place."""
        return replace(self, target=target)
