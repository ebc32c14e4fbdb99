from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.decision import Thresholds
from models.errors import BundleError
from models.judgement import JUDGEMENT, Comparison, JudgedPhoto, Judgement
from tests.training.conftest import Bundled
from tests.training.learning.kinds import KNOWN, SIDES, base, persons, photos
from training.learning import candidate, result
from training.learning.judge import Reader, count
from training.learning.labels import LabelledPhoto
from training.learning.photos import Photos

NEW = {5: 0, 6: 0, 7: 1}


def listed(kinds: dict[int, int], number: int, seed: int, first: str) -> Photos:
    made = photos(kinds, number, seed)
    total = len(made.labels)
    rows = [LabelledPhoto(f"{first}{row}.jpg", int(made.labels[row]), False, "", "", 1) for row in range(total)]
    return Photos(rows, [f"{first}{row}" for row in range(total)], made.positions, np.arange(total))


def judgement(*judged: JudgedPhoto, against: str = "a" * 64) -> Judgement:
    nothing = Comparison(n=0, won=0, lost=0, p=1, correct_live=0, correct_candidate=0)
    return Judgement(
        verdict="too_few",
        reason="",
        labels=0,
        weight=1,
        base="",
        against=against,
        candidate="",
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        guard=nothing,
        held_out=nothing,
        audit=nothing,
        asked_again=(),
        photos=judged,
    )


def test_won_and_lost_photos_are_counted_by_each_models_own_threshold() -> None:
    live, candidate_p = np.array([0.6, 0.4, 0.9, 0.2]), np.array([0.6, 0.6, 0.1, 0.1])
    counts = count(live, candidate_p, np.array([1, 1, 1, 0]), (Thresholds(unsure_low=0.5), Thresholds()))
    assert counts == Comparison(n=4, won=1, lost=1, p=1.0, correct_live=3, correct_candidate=3)
    assert count(live, candidate_p, np.array([1, 1, 1, 0]), (Thresholds(), Thresholds(food=0.7, unsure_high=0.7))).lost


def test_the_three_sets_are_judged() -> None:
    start = base()
    own, audit = listed(NEW, 20, 3, "own"), listed(NEW | KNOWN, 5, 4, "audit")
    made = candidate.make(start, own.to_fit(), lambda _: True, 1)
    live = Reader(start.heads, start.cascade, start.thresholds)
    sets = result.judge(live, made, start.guard, own, audit, {})
    assert (sets.guard.counts.n, sets.held_out.counts.n, sets.audit.counts.n) == (200, 60, 35)
    assert sets.held_out.counts.won > 30
    assert sets.audit.counts.won >= 8
    assert sets.guard.counts.lost <= 1
    np.testing.assert_array_equal(sets.held_out.p_candidate, made.p_held_out)


def test_a_live_model_is_judged_out_of_fold_on_what_it_has_learned_by_heart() -> None:
    start = base()
    own, nothing = listed(NEW, 20, 3, "own"), listed({}, 0, 3, "audit")
    made = candidate.make(start, own.to_fit(), lambda _: True, 1)
    by_heart = Reader(made.heads, made.cascade, made.thresholds)
    earlier = dict(zip(own.sha256s, np.where(own.labels == 1, 0.1, 0.9).tolist(), strict=True))
    direct = result.judge(by_heart, made, start.guard, own, nothing, {}).held_out.counts
    fair = result.judge(by_heart, made, start.guard, own, nothing, earlier).held_out.counts
    assert direct.correct_live == 60
    assert direct.won == 0
    assert fair.correct_live == 0
    assert fair.won == direct.correct_candidate


def test_what_a_learned_live_model_said_out_of_fold_is_read_from_its_judgement(
    tmp_path: Path, bundled: Bundled
) -> None:
    card = bundled(base="b" * 64).card
    live = Bundle(tmp_path, card, "c" * 64)
    assert result.earlier_out_of_fold(live) == {}
    own, audit = (
        JudgedPhoto(sha256=name, label="food", set=kind, live=0.2, candidate=0.7)
        for name, kind in (("own", "held_out"), ("random", "audit"))
    )
    (tmp_path / JUDGEMENT).write_text(judgement(own, audit).model_dump_json())
    assert result.earlier_out_of_fold(live) == {"own": 0.7}
    assert result.earlier_out_of_fold(Bundle(tmp_path, bundled().card, "c" * 64)) == {}
    (tmp_path / JUDGEMENT).write_text("{}")
    with pytest.raises(BundleError, match="is not the judgement of a model"):
        result.earlier_out_of_fold(live)


def test_a_judgement_names_labels_that_did_not_count(bundled: Bundled) -> None:
    start = base()
    own, audit = listed({0: 1, 1: 0, 5: 0}, 20, 3, "own"), listed(KNOWN, 2, 4, "audit")
    own.photos[0] = own.photos[0]._replace(label=0)
    made = candidate.make(start, own.to_fit(), lambda _: True, 1)
    live = Reader(start.heads, start.cascade, start.thresholds)
    sets = result.judge(live, made, start.guard, own, audit, {})
    bundle = bundled()
    composed = result.compose(sets, made, base=bundle, live=bundle, bundle=bundle)
    assert composed.asked_again == ("own0",)
    assert composed.labels == 60
    assert [photo.set for photo in composed.photos] == ["held_out"] * 60 + ["audit"] * 8
    assert composed.photos[0].label == "non_food"
    assert Judgement.model_validate_json(composed.model_dump_json()) == composed


def test_persons_photos_are_those_of_the_list() -> None:
    own = listed(NEW, 2, 3, "own")
    fit = own.to_fit()
    assert fit.labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert fit.asked.tolist() == [1] * 6
    assert persons(photos(NEW, 2, 3)).positions[SIDES[0]].tolist() == fit.positions[SIDES[0]].tolist()
