import pytest

from daemon.web.agreement import Share, agreement


def test_what_the_model_was_not_sure_of_is_not_found_but_not_wrong_either() -> None:
    said = {
        ("food", "food"): 80,
        ("food", "non_food"): 5,
        ("food", "unsure"): 15,
        ("non_food", "food"): 10,
        ("non_food", "non_food"): 190,
    }
    found = agreement(said)
    assert found.photos == 300
    assert found.accuracy == Share(270, 285)
    assert found.precision == Share(80, 90)
    assert found.recall == Share(80, 100)


def test_a_share_has_its_interval() -> None:
    share = Share(992, 1000)
    assert share.share == 0.992
    assert share.ci95 == pytest.approx((0.9843, 0.9959), abs=1e-4)


def test_of_nothing_there_is_no_share() -> None:
    assert agreement({}) == (0, None, None, None)
    assert agreement({("non_food", "non_food"): 3}) == (3, Share(3, 3), None, None)
