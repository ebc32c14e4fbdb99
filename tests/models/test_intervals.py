import pytest

from models.intervals import wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(992, 1000, 0.9843, 0.9959), (5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval_has_its_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson_interval(successes, n)
    assert interval == pytest.approx((low, high), abs=1e-4)
    assert 0 <= interval[0] <= interval[1] <= 1


def test_a_higher_level_is_a_wider_interval() -> None:
    assert wilson_interval(90, 100, 0.99)[0] < wilson_interval(90, 100)[0] < wilson_interval(90, 100, 0.8)[0]
