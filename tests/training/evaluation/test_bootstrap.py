import numpy as np
import pytest

from models.decision import Floats
from training.evaluation import bootstrap
from training.evaluation.bootstrap import percentile_intervals


def means(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=1)[None])


def test_an_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    ((low, high),) = percentile_intervals(means, values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_photos_give_the_same_interval_and_few_photos_a_wide_one() -> None:
    values = np.random.default_rng(4).random(900)
    many = percentile_intervals(means, values)[0]
    again = percentile_intervals(means, values)[0]
    few = percentile_intervals(means, values[:30])[0]
    assert many.tolist() == again.tolist()
    assert few[1] - few[0] > 3 * (many[1] - many[0])
    assert np.ptp(percentile_intervals(means, values, level=0.8)[0]) < np.ptp(many)


def test_all_arrays_are_resampled_by_the_same_rows() -> None:
    values = np.arange(50.0)
    interval = percentile_intervals(lambda one, other: np.abs(one - other).sum(axis=1)[None], values, values.copy())
    assert interval.tolist() == [[0.0, 0.0]]


def test_samples_without_a_value_are_left_out() -> None:
    def share_or_nothing(values: Floats) -> Floats:
        share = values.mean(axis=1)
        return np.stack([np.where(share > 0.5, np.nan, share), np.full(len(values), np.nan)])

    defined, undefined = percentile_intervals(share_or_nothing, np.array([0.0, 1.0] * 20))
    assert 0 <= defined[0] < defined[1] <= 0.5
    assert np.isnan(undefined).all()


def test_a_large_data_set_is_resampled_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_MAX_ELEMENTS", 35)
    shapes = []

    def counted(values: Floats) -> Floats:
        shapes.append(values.shape)
        return means(values)

    percentile_intervals(counted, np.arange(10.0), resamples=7)
    assert shapes == [(3, 10), (3, 10), (1, 10)]
