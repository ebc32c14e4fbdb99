from pathlib import Path

from models.judgement import JudgedPhoto
from tests.models.test_judgement import judgement
from tests.training.conftest import Jpeg
from training.report import judgement_text
from training.report.sections.judgement import Boundaries, asked_again_section, headlines, judgement_section

HALF = Boundaries(0.5, 0.5)


def test_the_table_has_a_row_for_each_set() -> None:
    section = judgement_section(judgement(), {"d" * 64: "nowhere.jpg"}, HALF)
    assert section.tables[0].rows == [
        ["your labels", "40", "30", "37", "7", "0", "0.016"],
        ["at random", "0", "0", "0", "0", "0", ""],
        ["guard", "40", "30", "37", "7", "0", "0.016"],
    ]
    assert section.paragraphs[0] == judgement().reason


def test_photos_that_changed_are_shown_with_both_probabilities(tmp_path: Path, jpeg: Jpeg) -> None:
    (tmp_path / "plate\n.jpg").write_bytes(jpeg(1, 1))
    same = JudgedPhoto(sha256="e" * 64, label="food", set="audit", live=0.9, candidate=0.8)
    both = judgement().model_copy(update={"photos": (*judgement().photos, same)})
    paths = {"d" * 64: str(tmp_path / "plate\n.jpg"), "e" * 64: "nowhere.jpg"}
    (card,) = judgement_section(both, paths, HALF).cards
    assert card.name == r"plate\x0a.jpg"
    assert card.label == "food"
    assert card.p_food == 0.1
    assert card.source == "P(food) by the live model 0.900; held out"
    assert card.photo.startswith("data:image/jpeg;base64,")
    assert not judgement_section(both, paths, Boundaries(0.95, 0.5)).cards[1:]


def test_labels_that_did_not_count_are_shown(tmp_path: Path, jpeg: Jpeg) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1, 1))
    section = asked_again_section(judgement(), {"d" * 64: str(tmp_path / "a.jpg")})
    assert section is not None
    assert section.paragraphs[0].startswith("1 label did not count")
    assert len(section.cards) == 1
    assert asked_again_section(judgement().model_copy(update={"asked_again": ()}), {}) is None


def test_a_photo_that_is_gone_is_passed_over() -> None:
    assert judgement_section(judgement(), {"d" * 64: "/nowhere.jpg"}, HALF).cards == []


def test_the_headlines_have_the_verdict() -> None:
    first, second, *_, audit = headlines(judgement())
    assert first.value == "better"
    assert second.value == "+7 −0"
    assert audit.value == "–"


def test_the_terminal_shows_the_table_and_the_verdict() -> None:
    lines = list(judgement_text.lines(judgement()))
    assert lines[0].split() == ["photos", "number", "live", "right", "candidate", "right", "won", "lost", "p"]
    assert lines[1].split() == ["your", "labels", "40", "30", "37", "7", "0", "0.016"]
    assert lines[4] == f"better: {judgement().reason}"
    assert lines[5].startswith("1 label did not count")
    assert len(lines) == 6
