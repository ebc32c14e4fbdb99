import numpy as np
import pandas as pd
import pytest

from tests.training.conftest import Bundled
from training.evaluation.comparison import as_json, compare, mcnemar
from training.evaluation.predictions import Predictions


def predictions(bundle: Bundled, p_food: list[float], labels: list[int], first: int = 0) -> Predictions:
    """Predictions with these probabilities for photos numbered from `first`."""
    photos = pd.DataFrame(
        {
            "path": [f"{first + number}.jpg" for number in range(len(labels))],
            "label": labels,
            "split": "evaluation",
            "source": "",
        }
    )
    odds = np.array(p_food) / (1 - np.array(p_food))
    return Predictions(bundle(), "scripted", photos, np.log(odds).astype(np.float32), np.full(len(photos), 64), [])


def test_mcnemar_counts_and_tests_the_photos_that_only_one_model_gets_right() -> None:
    first = np.array([True] * 10 + [True] * 8 + [False] * 2 + [False] * 5)
    second = np.array([True] * 10 + [False] * 8 + [True] * 2 + [False] * 5)
    result = mcnemar(first, second)
    assert result[:4] == (10, 8, 2, 5)
    # Twice the chance of at most 2 heads of 10: 2 × (1 + 10 + 45) ÷ 1024.
    assert result.p == pytest.approx(112 / 1024)
    assert mcnemar(second, first).p == pytest.approx(112 / 1024)


def test_mcnemar_has_the_value_of_the_textbook() -> None:
    # Agresti 2002, table 10.1 with 794, 150, 86, 570: z² = 17.36; the exact p is close to that of the normal
    # distribution.
    first = np.repeat([True, True, False, False], [794, 150, 86, 570])
    second = np.repeat([True, False, True, False], [794, 150, 86, 570])
    assert mcnemar(first, second).p == pytest.approx(3.1e-5, rel=0.25)


def test_models_that_never_differ_have_p_one() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right) == (2, 0, 0, 1, 1.0)


def test_predictions_are_compared_photo_by_photo(bundled: Bundled) -> None:
    one = predictions(bundled, [0.9, 0.2, 0.6, 0.4], [1, 0, 0, 1])
    other = predictions(bundled, [0.8, 0.8, 0.1, 0.3], [1, 0, 0, 1])
    result = compare(one, other, ("this", "that"))
    assert (result.first, result.second, result.n) == ("this", "that", 4)
    assert result.accuracy == (0.5, 0.5)
    assert result.test == (1, 1, 1, 1, 1.0)
    assert result.largest_difference == pytest.approx(0.6)
    assert result.disagreements[["path", "label"]].to_numpy().tolist() == [["1.jpg", 0], ["2.jpg", 0]]
    assert result.disagreements[["p_first", "p_second"]].to_numpy() == pytest.approx(np.array([[0.2, 0.8], [0.6, 0.1]]))
    assert as_json(result) == {
        "first": "this",
        "second": "that",
        "n": 4,
        "accuracy": [0.5, 0.5],
        "both": 1,
        "only_first": 1,
        "only_second": 1,
        "neither": 1,
        "p": 1.0,
        "largest_difference": result.largest_difference,
    }


def test_the_photos_that_differ_most_come_first(bundled: Bundled) -> None:
    one = predictions(bundled, [0.45, 0.9, 0.4], [1, 0, 0])
    other = predictions(bundled, [0.55, 0.1, 0.7], [1, 0, 0])
    assert list(compare(one, other, ("", "")).disagreements["path"]) == ["1.jpg", "2.jpg", "0.jpg"]


def test_photos_unreadable_for_one_model_are_left_out(bundled: Bundled) -> None:
    result = compare(
        predictions(bundled, [0.9, 0.9], [1, 1]), predictions(bundled, [0.1, 0.9], [1, 1], first=1), ("this", "that")
    )
    assert (result.n, result.accuracy) == (1, (1.0, 0.0))
    assert list(result.disagreements["path"]) == ["1.jpg"]
