import random

import pytest

from daemon.monitoring.drift import ENOUGH, WINDOW, DriftWindow
from models.bundle import Bundle, Card
from models.decision import Thresholds
from models.reference import BINS, Reference, stability_index

THRESHOLDS = Thresholds(food=0.5, unsure_low=0.2, unsure_high=0.8)


@pytest.fixture
def card() -> Card:
    expected = [0.01] * 480 + [0.99] * 500 + [0.5] * 20
    return Bundle.load().card.model_copy(
        update={"thresholds": THRESHOLDS, "reference": Reference.of(expected, THRESHOLDS)}
    )


def test_a_reference_counts_by_the_thresholds() -> None:
    reference = Reference.of([0.0, 0.19, 0.2, 0.21, 0.5, 0.8, 0.95, 1.0], THRESHOLDS)
    assert (reference.food, reference.unsure) == (0.5, 0.25)
    assert reference.histogram == (1, 1, 2, 0, 0, 1, 0, 0, 1, 2)


def test_the_stability_index_agrees_with_a_calculation_by_hand() -> None:
    # By hand, two bins of 10 and 30 against 20 and 20 photos, half a photo added to each.
    assert stability_index([10, 30], [20, 20]) == pytest.approx(0.2439 * 0.6690 + 0.2439 * 0.3973, abs=0.0001)
    assert stability_index([10] * BINS, [7] * BINS) == pytest.approx(0.0)
    assert stability_index([100, 0], [0, 100]) < 12


def test_photos_like_those_of_the_model_are_no_drift(card: Card) -> None:
    draw = random.Random(1)
    window = DriftWindow(card)
    window.add(draw.choices([0.01, 0.99, 0.5], (48, 50, 2), k=ENOUGH - 1))
    assert window.drift() is None
    window.add([0.01])
    drift = window.drift()
    assert drift
    assert not drift["shifted"]
    assert drift["stability"] < 0.1
    assert (drift["photos"], drift["expected_food"], drift["expected_unsure"]) == (ENOUGH, 0.52, 0.02)


def test_other_photos_are_drift_once_there_are_enough(card: Card) -> None:
    draw = random.Random(2)
    window = DriftWindow(card)
    window.add(draw.choices([0.01, 0.99, 0.5], (48, 50, 2), k=WINDOW))
    assert not window.drift()["shifted"]  # type: ignore[index]
    window.add([0.3 + 0.4 * draw.random() for _ in range(WINDOW // 2)])
    drift = window.drift()
    assert drift
    assert drift["shifted"]
    assert drift["unsure"] == pytest.approx(0.5 + 0.01, abs=0.01)
    assert drift["photos"] == WINDOW


def test_a_bundle_without_reference_has_no_drift(card: Card) -> None:
    window = DriftWindow(card.model_copy(update={"reference": None}))
    window.add([0.5] * WINDOW)
    assert window.drift() is None
