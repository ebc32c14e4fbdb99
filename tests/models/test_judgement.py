from pathlib import Path

import pytest

from models.errors import BundleError
from models.judgement import JUDGEMENT, Comparison, JudgedPhoto, Judgement, load_judgement

COUNTS = Comparison(n=40, won=7, lost=0, p=0.0156, correct_live=30, correct_candidate=37)


def judgement() -> Judgement:
    return Judgement(
        verdict="better",
        reason="The candidate wins 7 and loses 0 of 40 labelled photos (p = 0.016).",
        labels=40,
        weight=10,
        base="b" * 64,
        against="a" * 64,
        candidate="c" * 64,
        made_at="2026-11-30T12:00:00+00:00",
        guard=COUNTS,
        held_out=COUNTS,
        audit=Comparison(n=0, won=0, lost=0, p=1, correct_live=0, correct_candidate=0),
        asked_again=("d" * 64,),
        photos=(JudgedPhoto(sha256="d" * 64, label="food", set="held_out", live=0.9, candidate=0.1),),
    )


def test_a_judgement_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / JUDGEMENT).write_text(judgement().model_dump_json())
    assert load_judgement(tmp_path) == judgement()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"better"', '"splendid"', "verdict"),
        ('"weight":10', '"weight":"much"', "weight"),
        ('"labels"', '"labelled"', "labels"),
        ("{", "[", "the file"),
    ],
)
def test_what_is_no_judgement_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = judgement().model_dump_json()
    assert old in text
    (tmp_path / JUDGEMENT).write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=f"is not the judgement of a model: {message}.*learn again"):
        load_judgement(tmp_path)


def test_a_missing_judgement_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"judgement\.json cannot be read"):
        load_judgement(tmp_path)
