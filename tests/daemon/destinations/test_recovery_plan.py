import pytest

from daemon.database.rows import PendingRow
from daemon.destinations.recovery_plan import Presence, Reclassify, Resume, plan, plan_action

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
    ("is_private", "at_source", "at_target", "expected"),
    [
        (False, True, "no", "move"),
        (False, True, "probable", "move"),  # that is another photo of the same bytes
        (False, True, "certain", "finish"),  # and that one came to the source later
        (False, False, "no", "missing"),
        (False, False, "probable", "finish"),
        (False, False, "certain", "finish"),
        (True, False, "no", "move"),
        (True, False, "probable", "move"),
        (True, False, "certain", "drop"),
        (True, True, "no", "move"),
        (True, True, "certain", "drop"),
    ],
)
def test_an_interrupted_action_continues_where_the_photo_is(
    expected: str, *, is_private: bool, at_source: bool, at_target: Presence
) -> None:
    assert plan_action(is_private=is_private, at_source=at_source, at_target=at_target) == expected
