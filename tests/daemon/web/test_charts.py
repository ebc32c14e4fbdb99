import pytest

from daemon.web.charts import HEIGHT, WIDTH, chart, round_up


@pytest.mark.parametrize(
    ("count", "top"),
    [(0, 2), (1, 2), (3, 4), (5, 6), (10, 10), (11, 20), (45, 60), (99, 100), (8001, 10_000), (1_000_000, 1_000_000)],
)
def test_the_top_is_round_and_so_is_its_half(count: int, top: int) -> None:
    assert round_up(count) == top


def test_columns_are_side_by_side_from_the_bottom_as_high_as_their_counts() -> None:
    drawn = chart([{"food": 3, "non_food": 1}, {"food": 0, "non_food": 0}, {"food": 0, "non_food": 2}])
    assert drawn.top == 4
    assert [column.x for column in drawn.columns] == pytest.approx([0, WIDTH / 3, 2 * WIDTH / 3])
    first, second, third = (column.parts for column in drawn.columns)
    assert [(part.kind, part.y, part.height) for part in first] == [("food", 25, 75), ("non_food", 0, 25)]
    assert second == []
    assert [(part.kind, part.y + part.height, part.height) for part in third] == [("non_food", HEIGHT, HEIGHT / 2)]
    for column in drawn.columns:
        for part in column.parts:
            assert column.x < part.x < part.x + part.width < column.x + column.width


def test_without_counts_a_chart_has_no_columns() -> None:
    assert chart([]) == ([], 2)
