import pytest

from daemon.web.agreement import Share, agreement


def test_unsure_counts_against_recall_and_not_against_accuracy() -> None:
    pairs = {
        ("food", "food"): 80,
        ("food", "non_food"): 5,
        ("food", "unsure"): 15,
        ("non_food", "food"): 10,
        ("non_food", "non_food"): 190,
    }
    metrics = agreement(pairs)
    assert metrics.photos == 300
    assert metrics.accuracy == Share(270, 285)
    assert metrics.precision == Share(80, 90)
    assert metrics.recall == Share(80, 100)


def test_a_share_has_a_95_percent_interval() -> None:
    share = Share(992, 1000)
    assert share.share == 0.992
    assert share.ci95 == pytest.approx((0.9843, 0.9959), abs=1e-4)


def test_without_photos_there_is_no_share() -> None:
    assert agreement({}) == (0, None, None, None)
    assert agreement({("non_food", "non_food"): 3}) == (3, Share(3, 3), None, None)
