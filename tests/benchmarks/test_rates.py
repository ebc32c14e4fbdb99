import pytest

from benchmarks.contestants import CONTESTANTS
from benchmarks.rates import Run, limit, rate, ratios


def test_a_rate_is_the_median_without_the_start() -> None:
    runs = [Run(12.0, 20.0), Run(9.0, 18.0), Run(7.0, 16.0)]
    short = [Run(2.0, 3.0), Run(100.0, 50.0), Run(1.0, 2.0)]
    found = rate(108, runs, short)
    assert (found.photos_s, found.slowest, found.fastest) == pytest.approx((100 / 7, 10, 20))
    assert found.start_s == 2.0
    assert found.core_ms == pytest.approx(1000 * (18.0 - 3.0) / 100)


def test_a_run_no_longer_than_the_start_has_no_rate() -> None:
    with pytest.raises(ValueError, match="16 photos took no longer than 8"):
        rate(16, [Run(3.0, 1.0), Run(2.0, 1.0)], [Run(2.0, 1.0)])


def test_the_limit_shares_the_cores_between_decode_and_network() -> None:
    assert limit(2, 0.002, 0.006) == pytest.approx(250)


def test_foodsort_is_compared_with_the_best_of_each_kind_and_never_with_itself() -> None:
    rates = {"article": 5.0, "Keras": 10.0, "OpenVINO": 20.0, "foodsort tensorflow": 15.0, "foodsort": 40.0}
    of = {one.name: one.of for one in CONTESTANTS}
    assert ratios(rates, of, 50.0) == pytest.approx(
        {
            "foodsort tensorflow ÷ article": 3.0,
            "foodsort tensorflow ÷ the best with TensorFlow (Keras)": 1.5,
            "foodsort tensorflow ÷ the fastest other (OpenVINO)": 0.75,
            "foodsort tensorflow ÷ the limit": 0.3,
            "foodsort ÷ article": 8.0,
            "foodsort ÷ the best with TensorFlow (Keras)": 4.0,
            "foodsort ÷ the fastest other (OpenVINO)": 2.0,
            "foodsort ÷ the limit": 0.8,
        }
    )


def test_what_was_not_measured_is_compared_with_nothing() -> None:
    of = {one.name: one.of for one in CONTESTANTS}
    assert ratios({"foodsort": 40.0}, of, None) == {}
    assert ratios({"article": 5.0}, of, 50.0) == {}
