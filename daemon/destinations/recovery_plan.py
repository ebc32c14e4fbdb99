"""What a new life of the daemon does with what an earlier one left half done. Pure: facts in, actions out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from daemon.database.rows import PendingRow
from daemon.photo import MISSING, RETRY, RETRYING, State


class Resume(NamedTuple):
    """What to do for a row whose photo was on its way.

    `file`: it is still claimed, so move it. `finish`: it lies at its place, so say so. `drop_and_finish`: a whole copy
    lies at its place and the claimed one is left over. `missing`: it is in neither place.
    """

    action: Literal["file", "finish", "drop_and_finish", "missing"]
    row: PendingRow


class Reclassify(NamedTuple):
    """A claimed photo without a row: classify it as if it had been claimed just now."""

    run_id: bytes
    path: bytes


def plan(
    claimed: Iterable[tuple[bytes, bytes]], pending: Iterable[PendingRow], arrived: Callable[[PendingRow, bool], bool]
) -> Iterator[Resume | Reclassify]:
    """claimed: (run_id, path) of what lies in the claim folder.

    arrived: whether a row's photo lies at its place, asked with whether it lies in the claim folder, too.
    """
    left = set(claimed)
    for row in pending:
        key = (row.run_id, row.inbox_path)
        if key in left:
            left.remove(key)
            yield Resume("drop_and_finish" if arrived(row, True) else "file", row)
        else:
            yield Resume("finish" if arrived(row, False) else "missing", row)
    for run_id, path in sorted(left):
        yield Reclassify(run_id, path)


def back(state: State, *, arrived: bool, there: bool) -> Literal["move", "drop_and_finish", "finish"] | State:
    """What to do for a row whose photo was on its way back or to another label's folder, or the state in which to leave it.

    arrived: it lies where its row says that it goes. there: it lies, too or still, where it was taken from.
    """
    if arrived:
        return "drop_and_finish" if there else "finish"
    if there:
        return "move"
    return RETRY if state == RETRYING else MISSING  # to be sorted again, the daemon may have it in hand already
