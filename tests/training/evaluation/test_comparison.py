import numpy as np
import pandas as pd
import pytest

from tests.training.conftest import Bundled
from training.evaluation.comparison import as_json, compare, mcnemar
from training.evaluation.predictions import Judged


def judged(bundle: Bundled, p_food: list[float], labels: list[int], first: int = 0) -> Judged:
    """A run in which the photos, named from `first` on, get these probabilities."""
    photos = pd.DataFrame(
        {
            "path": [f"{first + number}.jpg" for number in range(len(labels))],
            "label": labels,
            "split": "evaluation",
            "source": "",
        }
    )
    odds = np.array(p_food) / (1 - np.array(p_food))
    return Judged(bundle(), "scripted", photos, np.log(odds).astype(np.float32), [])


def test_mcnemar_counts_and_tests_the_photos_that_one_alone_gets_right() -> None:
    first = np.array([True] * 10 + [True] * 8 + [False] * 2 + [False] * 5)
    second = np.array([True] * 10 + [False] * 8 + [True] * 2 + [False] * 5)
    found = mcnemar(first, second)
    assert found[:4] == (10, 8, 2, 5)
    # Twice the chance of at most 2 heads of 10: 2 × (1 + 10 + 45) ÷ 1024.
    assert found.p == pytest.approx(112 / 1024)
    assert mcnemar(second, first).p == pytest.approx(112 / 1024)


def test_mcnemar_has_the_value_of_the_textbook() -> None:
    # Agresti 2002, table 10.1 with 794, 150, 86, 570: z² = 17.36; the exact p is close to that of the normal distribution.
    first = np.repeat([True, True, False, False], [794, 150, 86, 570])
    second = np.repeat([True, False, True, False], [794, 150, 86, 570])
    assert mcnemar(first, second).p == pytest.approx(3.1e-5, rel=0.25)


def test_models_that_never_differ_have_p_one() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right) == (2, 0, 0, 1, 1.0)


def test_two_runs_are_compared_photo_by_photo(bundled: Bundled) -> None:
    one = judged(bundled, [0.9, 0.2, 0.6, 0.4], [1, 0, 0, 1])
    other = judged(bundled, [0.8, 0.8, 0.1, 0.3], [1, 0, 0, 1])
    found = compare(one, other, ("this", "that"))
    assert (found.first, found.second, found.n) == ("this", "that", 4)
    assert found.accuracy == (0.5, 0.5)
    assert found.test == (1, 1, 1, 1, 1.0)
    assert found.largest == pytest.approx(0.6)
    assert found.differing[["path", "label"]].to_numpy().tolist() == [["1.jpg", 0], ["2.jpg", 0]]
    assert found.differing[["p_first", "p_second"]].to_numpy() == pytest.approx(np.array([[0.2, 0.8], [0.6, 0.1]]))
    assert as_json(found) == {
        "first": "this",
        "second": "that",
        "n": 4,
        "accuracy": [0.5, 0.5],
        "both": 1,
        "only_first": 1,
        "only_second": 1,
        "neither": 1,
        "p": 1.0,
        "largest_difference": found.largest,
    }


def test_the_photos_that_differ_most_come_first(bundled: Bundled) -> None:
    one = judged(bundled, [0.45, 0.9, 0.4], [1, 0, 0])
    other = judged(bundled, [0.55, 0.1, 0.7], [1, 0, 0])
    assert list(compare(one, other, ("", "")).differing["path"]) == ["1.jpg", "2.jpg", "0.jpg"]


def test_photos_that_one_run_could_not_read_are_left_out(bundled: Bundled) -> None:
    found = compare(judged(bundled, [0.9, 0.9], [1, 1]), judged(bundled, [0.1, 0.9], [1, 1], first=1), ("this", "that"))
    assert (found.n, found.accuracy) == (1, (1.0, 0.0))
    assert list(found.differing["path"]) == ["1.jpg"]
