"""Steps that recover the photos which an earlier run of the daemon left in flight. Pure: facts in, steps out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from daemon.database.rows import PendingRow


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


Presence = Literal["no", "probable", "certain"]
"""Whether a photo is at its target: recognised by its inode (certain), or by its bytes, or size and time (probable)."""


def plan_action(
    *, is_private: bool, at_source: bool, at_target: Presence
) -> Literal["move", "drop", "finish", "missing"]:
    """Plans the recovery of an interrupted action, which moves a photo from its source by a private name to its target.

    Args:
        is_private: Whether a file has the private name.
        at_source: Whether the photo is where it was before the action.
        at_target: Whether it is where the action moves it.

    Returns:
        `move`: continue. `drop`: remove the private name of a photo that is at its target, and finish the row. `finish`:
        finish the row. `missing`: the photo is in no place.
    """
    if is_private:
        return "drop" if at_target == "certain" else "move"
    if at_target == "certain":
        return "finish"
    # The photo of these bytes at the target may be another one while this one has not moved.
    if at_source:
        return "move"
    return "missing" if at_target == "no" else "finish"
