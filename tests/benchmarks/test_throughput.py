import pytest

from benchmarks.competitors import COMPETITORS
from benchmarks.throughput import RunTime, speedups, throughput, upper_bound


def test_the_throughput_is_the_median_without_the_start_up() -> None:
    runs = [RunTime(12.0, 20.0), RunTime(9.0, 18.0), RunTime(7.0, 16.0)]
    short_runs = [RunTime(2.0, 3.0), RunTime(100.0, 50.0), RunTime(1.0, 2.0)]
    result = throughput(108, runs, short_runs)
    assert (result.photos_s, result.slowest, result.fastest) == pytest.approx((100 / 7, 10, 20))
    assert result.start_s == 2.0
    assert result.core_ms == pytest.approx(1000 * (18.0 - 3.0) / 100)


def test_a_run_no_longer_than_the_start_up_has_no_throughput() -> None:
    with pytest.raises(ValueError, match="16 photos took no longer than 8"):
        throughput(16, [RunTime(3.0, 1.0), RunTime(2.0, 1.0)], [RunTime(2.0, 1.0)])


def test_the_upper_bound_shares_the_cores_between_decoding_and_network() -> None:
    assert upper_bound(2, 0.002, 0.006) == pytest.approx(250)


def test_foodsort_is_compared_with_the_best_of_each_kind_and_never_with_itself() -> None:
    rates = {"article": 5.0, "Keras": 10.0, "OpenVINO": 20.0, "foodsort tensorflow": 15.0, "foodsort": 40.0}
    libraries = {competitor.name: competitor.library for competitor in COMPETITORS}
    assert speedups(rates, libraries, 50.0) == pytest.approx(
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


def test_missing_measurements_are_not_compared() -> None:
    libraries = {competitor.name: competitor.library for competitor in COMPETITORS}
    assert speedups({"foodsort": 40.0}, libraries, None) == {}
    assert speedups({"article": 5.0}, libraries, 50.0) == {}
