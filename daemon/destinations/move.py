"""A planned move of a photo from the claim folder to its place."""

from dataclasses import dataclass

from daemon.database.rows import PendingRow
from daemon.photo import Destination, Failure


@dataclass(frozen=True)
class Move:
    """A claimed photo and its target.

    Attributes:
        photo_id: Row of the photo.
        run_id: Run of the daemon that claimed it.
        source: Path in the inbox, relative to it.
        target: Place it moves to, as the row names it.
        destination: Folder it moves to.
        identity: Device and inode at the time of the claim.
        sha256: Digest of its bytes.
        failure: Reason for the sidecar; None for a classified photo.
        attempts: Number of attempts, for the sidecar.
        first_failed_at: Time of the first failed attempt (UTC, ISO 8601), for the sidecar.
        model: Name of the model in use, for the sidecar.
    """

    photo_id: int
    run_id: bytes
    source: bytes
    target: bytes
    identity: str
    sha256: str
    destination: Destination = None
    failure: Failure | None = None
    attempts: int = 1
    first_failed_at: str | None = None
    model: str = ""

    @classmethod
    def of_row(cls, row: PendingRow) -> "Move":
        """Returns the move that a row names."""
        return cls(
            photo_id=row.id,
            run_id=row.run_id,
            source=row.inbox_path,
            target=row.path,
            destination=row.destination,
            identity=row.identity,
            sha256=row.sha256,
            failure=row.failure,
            attempts=row.attempts,
            first_failed_at=row.first_failed_at,
            model=row.model,
        )
