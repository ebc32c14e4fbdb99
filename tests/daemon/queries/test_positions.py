import pytest

from daemon.queries.positions import Position


def passed(*changes: int, in_order: bool = False) -> Position:
    position = Position()
    for change in changes:
        position = position.after(change, 10 * change, in_order=in_order)
    return position


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ((1, 2, 3), ()),
        ((1, 3), ((2, 2),)),
        ((4, 5, 9), ((1, 3), (6, 8))),
        ((5, 1), ((2, 4),)),
        ((5, 3), ((1, 2), (4, 4))),
        ((5, 4, 1, 2, 3), ()),
    ],
)
def test_ids_that_were_passed_over_stay_missing_until_they_are_seen(
    changes: tuple[int, ...], missing: tuple[tuple[int, int], ...]
) -> None:
    position = passed(*changes)
    assert (position.change, position.photo, position.missing) == (max(changes), 10 * max(changes), missing)


def test_nothing_is_missing_where_ids_become_visible_in_order() -> None:
    assert passed(3, 9, in_order=True) == Position("", 9, 90, ())


def test_the_oldest_of_very_many_missing_ids_are_given_up() -> None:
    missing = passed(*range(2, 4002, 2)).missing
    assert (len(missing), missing[0], missing[-1]) == (1000, (2001, 2001), (3999, 3999))
