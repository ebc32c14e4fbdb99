import pytest

from daemon.database.rows import PendingRow
from daemon.destinations.recovery_plan import Reclassify, Resume, plan, plan_action
from daemon.photo import State

ROW = PendingRow(
    id=1,
    path=b"food/a.jpg",
    inbox_path=b"a.jpg",
    run_id=b"gen",
    identity="1:2",
    sha256="00",
    destination="food",
    failure=None,
    attempts=1,
    first_failed_at=None,
    model="m",
)
KEY = (b"gen", b"a.jpg")


@pytest.mark.parametrize(
    ("claimed", "pending", "arrived", "expected"),
    [
        ([], [], False, []),
        ([KEY], [], False, [Reclassify(*KEY)]),
        ([KEY], [ROW], False, [Resume("file", ROW)]),
        ([KEY], [ROW], True, [Resume("drop_and_finish", ROW)]),
        ([], [ROW], True, [Resume("finish", ROW)]),
        ([], [ROW], False, [Resume("missing", ROW)]),
        ([(b"older", b"a.jpg")], [ROW], True, [Resume("finish", ROW), Reclassify(b"older", b"a.jpg")]),
    ],
)
def test_each_state_of_a_photo_has_one_repair(
    claimed: list[tuple[bytes, bytes]], pending: list[PendingRow], expected: list[Resume | Reclassify], *, arrived: bool
) -> None:
    assert list(plan(claimed, pending, lambda row, claimed: arrived)) == expected


@pytest.mark.parametrize(
    ("state", "at_target", "at_source", "expected"),
    [
        ("undoing", False, True, "move"),
        ("undoing", True, True, "drop_and_finish"),
        ("undoing", True, False, "finish"),
        ("undoing", False, False, "missing"),
        ("retrying", False, True, "move"),
        ("retrying", True, True, "drop_and_finish"),
        ("retrying", True, False, "finish"),
        ("retrying", False, False, "retry"),
        ("correcting", False, True, "move"),
        ("correcting", True, True, "drop_and_finish"),
        ("correcting", True, False, "finish"),
        ("correcting", False, False, "missing"),
    ],
)
def test_each_state_of_an_undone_photo_has_one_repair(
    state: State, expected: str, *, at_target: bool, at_source: bool
) -> None:
    assert plan_action(state, at_target=at_target, at_source=at_source) == expected
