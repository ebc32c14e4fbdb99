"""Rows of the database as typed values, written by the recorder and read by the lookup."""

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from daemon.database.schema import photos
from daemon.photo import (
    DUPLICATE,
    FAILED,
    FILED,
    FILING,
    OTHER,
    RETRY,
    RETRYING,
    CompanionState,
    Destination,
    Failure,
    Prediction,
    State,
)
from models import Label
from models.filenames import escape_name

FINAL_STATE = sa.case(
    (photos.c.error_kind.is_not(None), FAILED),
    (photos.c.duplicate_of.is_not(None), DUPLICATE),
    (photos.c.predicted_label.is_(None), OTHER),
    else_=FILED,
)
"""The state of a photo that is at its place, as an expression over its row."""


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """A new row of the table `batches`.

    Attributes:
        started_at: Time at which its classification began; with the first photo it identifies the batch.
        engine: Name of the inference engine.
        inference_ms: Duration of the inference (ms).
    """

    started_at: str
    engine: str
    inference_ms: float


@dataclass(frozen=True, kw_only=True)
class PhotoRow:
    """A photo that is about to move: a new row of the table `photos`, or new values of the row that it has.

    Attributes:
        path: Where it is about to go, relative to the root.
        inbox_path: Where it was, relative to the inbox.
        run_id: The run of the daemon that claimed it; the column is called `generation`.
        candidate: What the candidate says of it, which gets a row in `judgements`; None if there is none.
        original: `FileStamp.text` of the file in the inbox that it is a copy of, which gets a row in `originals`; None
            if it was moved.

    The other attributes are columns of the same name.
    """

    path: bytes
    inbox_path: bytes
    run_id: str
    identity: str
    sha256: str
    size_bytes: int
    modified_at: str
    claimed_at: str
    original: str | None = None
    candidate: Prediction | None = None
    classified_at: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    taken_offset: str | None = None
    camera: str | None = None
    logit: float | None = None
    look: int | None = None
    probability: float | None = None
    predicted_label: Label | None = None
    error_kind: str | None = None
    error_message: str | None = None
    duplicate_of: int | None = None
    attempts: int = 1
    first_failed_at: str | None = None

    def columns(self) -> dict[str, Any]:
        """Returns all columns that depend on the photo alone; the batch's and the model's ids are missing."""
        columns = vars(self) | path_columns(self.path)
        del columns["run_id"], columns["original"], columns["candidate"]
        return columns | claim_columns(self.run_id, self.inbox_path)


class RecordedBatch(NamedTuple):
    """The ids of a batch and of its photos, in their order."""

    id: int
    photo_ids: list[int]


@dataclass(frozen=True)
class PendingRow:
    """A row whose photo was on its way to its destination when the daemon ended.

    Attributes:
        id: Id of the row.
        path: Where the photo goes, relative to the root.
        inbox_path: Where it was, relative to the inbox.
        run_id: The run of the daemon that claimed it.
        identity: Device and inode.
        sha256: Digest of its bytes.
        destination: The folder that it goes to.
        failure: Why it was not classified; None when it was.
        attempts: How often it was tried, in all.
        first_failed_at: Time of its first failure; None when it never failed.
        model: Name of the model in use at that time.
    """

    id: int
    path: bytes
    inbox_path: bytes
    run_id: bytes
    identity: str
    sha256: str
    destination: Destination = None
    failure: Failure | None = None
    attempts: int = 1
    first_failed_at: str | None = None
    model: str = ""


class InboxRow(NamedTuple):
    """A row whose photo is in the inbox."""

    id: int
    inbox_path: bytes
    identity: str
    size_bytes: int
    modified_at: str


class PhotoKey(NamedTuple):
    """Identifies a claimed photo in the database.

    Attributes:
        identity: Device and inode.
        sha256: Digest of its bytes.
        path: Path in the inbox, relative to it.
        linked: Whether the file has several names (hard links), each a photo of its own.
        modified_at: Modification time of the file.
        copied: Whether the claimed file is a copy, whose original stays in the inbox.
    """

    identity: str
    sha256: str
    path: bytes
    linked: bool
    modified_at: str = ""
    copied: bool = False


class PreviousRow(NamedTuple):
    """The row of a photo that is sorted again: because of `retry`, or because somebody moved it back to the inbox.

    Attributes:
        states: States in which the row may be used again.
    """

    id: int
    attempts: int
    first_failed_at: str | None
    states: tuple[State, ...] = (RETRY, RETRYING)


class Review(NamedTuple):
    """A person's label for these bytes, given to the photo `photo_id`."""

    id: int
    photo_id: int
    label: Label
    reviewed_at: str
    source: str = "person"


class KnownLogit(NamedTuple):
    """An output of the network.

    Attributes:
        logit: The logit.
        look: Side of the pictures of the look that decided (pixels); None if unknown.
    """

    logit: float
    look: int | None = None


class DuplicateRow(NamedTuple):
    """A row of the same bytes.

    Attributes:
        original: Id of the row that this one is a duplicate of; its own id when it is none.
        original_state: State of the original.
        original_path: Path of the original, relative to the root.
        review: The newest label that a person gave to this row's photo.
        previous: The row itself, should its photo have returned to the inbox.
        path: Place of its photo, relative to the root.
        modified_at: Modification time of its photo.
    """

    sha256: str
    state: State
    model_id: int
    logit: KnownLogit | None
    original: int
    original_state: str
    original_path: bytes
    review: Review | None
    previous: PreviousRow | None = None
    path: bytes = b""
    modified_at: str = ""


@dataclass(frozen=True)
class PriorRecord:
    """Earlier rows about a claimed photo and its bytes.

    Attributes:
        previous: The photo's own row, if it is sorted again.
        logit: The logit that the model in use gave the same bytes.
        review: The newest label that a person gave the same bytes.
    """

    previous: PreviousRow | None = None
    logit: KnownLogit | None = None
    review: Review | None = None


def claim_columns(run_id: str, inbox_path: bytes) -> dict[str, Any]:
    """Returns the columns of a file that is about to move out of the claim folder of a run."""
    return {
        "generation": run_id,
        "inbox_path": escape_name(inbox_path),
        "inbox_path_bytes": inbox_path,
        "state": FILING,
        "filed_at": None,
    }


def path_columns(path: bytes) -> dict[str, Any]:
    """Returns the columns for the place of a photo, a path relative to the root."""
    return {"path_bytes": path, "path": escape_name(path), "name": escape_name(os.path.basename(path))}


def update_if_state(
    connection: sa.Connection,
    row_id: int,
    states: tuple[State | CompanionState, ...],
    *,
    table: sa.Table = photos,
    guard: "sa.ColumnElement[bool] | None" = None,
    **values: Any,
) -> bool:
    """Updates a row if it is still in one of these states; two processes that race for it cannot both succeed.

    Args:
        connection: The connection, in a transaction.
        row_id: Id of the row.
        states: The states.
        table: The table, `photos` or `companions`.
        guard: What must hold for the row, besides its state.
        values: The new values by column.

    Returns:
        Whether the row was updated.
    """
    condition = sa.and_(table.c.id == row_id, table.c.state.in_(states), sa.true() if guard is None else guard)
    return bool(connection.execute(table.update().where(condition).values(values)).rowcount)
