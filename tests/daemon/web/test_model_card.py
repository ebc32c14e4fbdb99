from typing import Literal

from daemon.web.model_card import LabelChange, label_changes
from models.judgement import JudgedPhoto, Judgement
from tests.daemon.learned_models import NOTHING

Person = Literal["food", "non_food"]


def judgement(*photos: tuple[str, Person, float, float]) -> Judgement:
    """A judgement of photos: digest, a person's label, and P(food) by the live model and by the candidate."""
    return Judgement(
        verdict="better",
        reason="it is better",
        labels=1,
        weight=1,
        base="b",
        against="b",
        candidate="c",
        made_at="2026-11-30",
        guard=NOTHING,
        held_out=NOTHING,
        audit=NOTHING,
        photos=tuple(
            JudgedPhoto(sha256=sha256, label=label, set="held_out", live=live, candidate=candidate)
            for sha256, label, live, candidate in photos
        ),
    )


def test_photos_that_become_wrong_come_before_those_that_become_right() -> None:
    changes = label_changes(
        judgement(("a", "food", 0.1, 0.9), ("b", "non_food", 0.1, 0.9), ("c", "food", 0.9, 0.8)), 0.5, 0.5
    )
    assert changes == [LabelChange("b", "non_food", "food", "non_food"), LabelChange("a", "non_food", "food", "food")]
    assert [change.is_won for change in changes] == [False, True]


def test_each_model_has_its_own_threshold() -> None:
    photos = judgement(("a", "food", 0.6, 0.6))
    assert label_changes(photos, 0.5, 0.6) == []
    assert label_changes(photos, 0.7, 0.6) == [LabelChange("a", "non_food", "food", "food")]
    assert label_changes(photos, 0.6, 0.7) == [LabelChange("a", "food", "non_food", "food")]
