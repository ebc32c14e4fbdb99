"""Steps that recover the photos which an earlier run of the daemon left in flight. Pure: facts in, steps out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from daemon.database.rows import PendingRow
from daemon.photo import MISSING, RETRY, RETRYING, State


class Resume(NamedTuple):
    """A step for a row whose photo was in flight.

    Attributes:
        action: `file`: the photo is still claimed; move it. `finish`: it is at its place; finish the row.
            `drop_and_finish`: a complete copy is at its place; remove the claimed one and finish the row.
            `missing`: it is in neither place.
        row: The row.
    """

    action: Literal["file", "finish", "drop_and_finish", "missing"]
    row: PendingRow


class Reclassify(NamedTuple):
    """A step for a claimed photo without a row: classify it like a new claim.

    Attributes:
        run_id: Run of the daemon that claimed it.
        path: Path in the inbox, relative to it.
    """

    run_id: bytes
    path: bytes


def plan(
    claimed: Iterable[tuple[bytes, bytes]], pending: Iterable[PendingRow], arrived: Callable[[PendingRow, bool], bool]
) -> Iterator[Resume | Reclassify]:
    """Plans the recovery.

    Args:
        claimed: (run_id, path) of each file in the claim folder.
        pending: Rows whose photos were in flight.
        arrived: Whether the photo of a row is at its place. The second argument: whether it is in the claim folder too.

    Yields:
        A step for each row and for each claimed file without one.
    """
    remaining = set(claimed)
    for row in pending:
        key = (row.run_id, row.inbox_path)
        if key in remaining:
            remaining.remove(key)
            yield Resume("drop_and_finish" if arrived(row, True) else "file", row)
        else:
            yield Resume("finish" if arrived(row, False) else "missing", row)
    for run_id, path in sorted(remaining):
        yield Reclassify(run_id, path)


def plan_action(
    state: State, *, at_target: bool, at_source: bool
) -> Literal["move", "drop_and_finish", "finish"] | State:
    """Plans the recovery of an interrupted undo, retry or correction.

    Args:
        state: State of the row.
        at_target: Whether the photo is at the place it was moving to.
        at_source: Whether a photo is, still or also, at the place it came from.

    Returns:
        The step, or the final state of the row when the photo is in neither place.
    """
    if at_target:
        return "drop_and_finish" if at_source else "finish"
    if at_source:
        return "move"
    return RETRY if state == RETRYING else MISSING  # a photo to be sorted again may be in flight already
