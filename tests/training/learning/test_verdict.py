import numpy as np
import pytest

from models.judgement import Comparison, Verdict
from training.evaluation.comparison import mcnemar
from training.learning.verdict import decide, keeps


def counts(n: int, won: int = 0, lost: int = 0) -> Comparison:
    live = np.array([False] * won + [True] * lost + [True] * (n - won - lost), bool)
    candidate = np.array([True] * won + [False] * lost + [True] * (n - won - lost), bool)
    return Comparison(
        n=n,
        won=won,
        lost=lost,
        p=mcnemar(live, candidate).p,
        correct_live=int(live.sum()),
        correct_candidate=int(candidate.sum()),
    )


NONE = counts(0)
GUARD = counts(1000)


@pytest.mark.parametrize(
    ("guard", "held_out", "audit", "verdict"),
    [
        # The guard comes first, whatever the labels say.
        (counts(1000, won=0, lost=3), counts(100, won=40), NONE, "worse"),
        (counts(1000, won=4, lost=7), counts(100, won=40), NONE, "worse"),
        (counts(1000, won=1, lost=3), counts(100, won=40), NONE, "better"),
        (counts(1000, won=50, lost=52), counts(100, won=40), NONE, "better"),
        # McNemar says worse.
        (GUARD, counts(100, won=0, lost=6), NONE, "worse"),
        (GUARD, counts(100, won=0, lost=5), NONE, "as_good"),
        (GUARD, counts(100, won=40), counts(50, won=0, lost=6), "worse"),
        (GUARD, counts(100, won=40), counts(50, won=2, lost=6), "better"),
        (GUARD, counts(10, won=0, lost=6), NONE, "worse"),
        # Better.
        (GUARD, counts(100, won=6, lost=0), NONE, "better"),
        (GUARD, counts(100, won=5, lost=0), NONE, "as_good"),
        (GUARD, counts(100, won=9, lost=3), NONE, "as_good"),
        (GUARD, counts(100, won=12, lost=3), NONE, "better"),
        (GUARD, counts(8, won=6, lost=0), NONE, "better"),
        # As good, or too few.
        (GUARD, counts(20), NONE, "as_good"),
        (GUARD, counts(19), counts(50), "too_few"),
        (GUARD, NONE, NONE, "too_few"),
        (NONE, counts(20), NONE, "as_good"),
    ],
)
def test_the_first_row_that_applies_decides(
    guard: Comparison, held_out: Comparison, audit: Comparison, verdict: Verdict
) -> None:
    decision = decide(guard, held_out, audit)
    assert decision.verdict == verdict
    assert decision.reason.endswith(".")


def test_the_reason_has_the_figures() -> None:
    assert decide(counts(1000, lost=3), NONE, NONE).reason == (
        "The candidate loses 3 of 1,000 photos that the model must keep right, and wins 0."
    )
    assert decide(GUARD, counts(100, won=6), NONE).reason == (
        "The candidate wins 6 and loses 0 of 100 labelled photos (p = 0.031)."
    )
    assert decide(GUARD, counts(1), NONE).reason == "Only 1 labelled photo could be judged; at least 20 are needed."


@pytest.mark.parametrize(("lost", "kept"), [(2, True), (3, False)])
def test_the_guard_may_lose_two_in_a_thousand(lost: int, kept: bool) -> None:
    assert keeps(counts(1000, lost=lost)) is kept
