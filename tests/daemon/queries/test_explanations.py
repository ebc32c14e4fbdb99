from typing import get_args

import pytest

from daemon.photo import FAILED, FILED, State
from daemon.queries.explanations import EXPLANATIONS, WHY_NOT_DELETED, WHY_NOT_LABELLED, WHY_NOT_MOVED

STATES = get_args(State)


def test_every_state_is_explained() -> None:
    assert set(EXPLANATIONS) == set(STATES)
    assert set(WHY_NOT_MOVED) == set(STATES) - {FAILED}
    assert set(WHY_NOT_LABELLED) == set(STATES)
    assert set(WHY_NOT_DELETED) == set(STATES) - {FAILED}


@pytest.mark.parametrize("state", STATES)
def test_a_state_reads_as_a_sentence(state: State) -> None:
    explanation = EXPLANATIONS[state]
    assert bool(explanation.place) == (state != FILED)
    sentence = explanation.history.format(path="food/{odd}.jpg")
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    for refusals in (WHY_NOT_MOVED, WHY_NOT_LABELLED, WHY_NOT_DELETED):
        assert refusals.get(state, "is").split()[0] in {"is", "was", "could"}
