from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.queries import audit
from daemon.queries.audit import Accuracy
from tests.daemon.sample_database import DAY, add, make_database

LIVE, CANDIDATE = "s", "c"


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database of each kind with a live model, 1, and another one, 2."""
    engine = make_database(address)
    insert(engine, schema.models, id=2, sha256=CANDIDATE, name="c", card="{}", first_used_at=DAY % 1, threshold=0.7)
    yield engine
    engine.dispose()


def insert(engine: sa.Engine, table: sa.Table, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(table.insert().values(values))


def answer(engine: sa.Engine, photo_id: int, label: str, source: str = "audit") -> None:
    insert(engine, schema.reviews, photo_id=photo_id, label=label, reviewed_at=DAY % 3, source=source)


def judge(engine: sa.Engine, photo_id: int, label: str, probability: float = 0.9, model_id: int = 1) -> None:
    values = {"photo_id": photo_id, "model_id": model_id, "label": label, "probability": probability}
    insert(engine, schema.judgements, **values, logit=1.0, judged_at=DAY % 2)


def asked(engine: sa.Engine, limit: int = 10, skipped: tuple[int, ...] = ()) -> list[str]:
    return [question.sha256 for question in audit.questions(engine, limit, skipped)]


def live(engine: sa.Engine, model: str = LIVE) -> dict[str, tuple[str, str | None]]:
    return {photo.sha256: (photo.label, photo.live_label) for photo in audit.audited(engine, model)}


@pytest.mark.parametrize(("digit", "reserved"), [("0", True), ("2", True), ("3", False), ("9", False), ("f", False)])
def test_three_of_sixteen_digests_are_reserved(digit: str, reserved: bool) -> None:
    assert audit.is_reserved(digit + 63 * "f") == reserved


def test_questions_come_by_digest_and_of_copies_one(engine: sa.Engine) -> None:
    for sha256 in ("2f", "0a", "3a", "1b", "1b", "ff"):
        add(engine, sha256)
    first = audit.questions(engine, 10)
    assert [question.sha256 for question in first] == ["0a", "1b", "2f"]
    assert asked(engine, 2) == ["0a", "1b"]
    assert asked(engine, skipped=(first[0].id,)) == ["1b", "2f"]


def test_photos_that_are_not_filed_are_no_questions(engine: sa.Engine) -> None:
    add(engine, "0a", state="undone")
    add(engine, "0b", state="duplicate")
    add(engine, "0c")
    assert asked(engine) == ["0c"]


def test_a_label_that_is_no_answer_leaves_the_question_open(engine: sa.Engine) -> None:
    photo = add(engine, "0a", corrected=("non_food",))
    answer(engine, photo, "food", source="move")
    assert asked(engine) == ["0a"]
    assert live(engine) == {}
    answer(engine, photo, "food")
    assert asked(engine) == []


def test_an_answer_counts_for_all_copies(engine: sa.Engine) -> None:
    first, second = add(engine, "0a"), add(engine, "0a")
    answer(engine, second, "food")
    assert asked(engine) == []
    answer(engine, first, "non_food")
    assert live(engine) == {"0a": ("non_food", "food")}


def test_a_later_correction_is_the_answer(engine: sa.Engine) -> None:
    photo = add(engine, "0a")
    answer(engine, photo, "non_food")
    answer(engine, photo, "food", source="person")
    assert live(engine) == {"0a": ("food", "food")}


def test_an_answer_for_bytes_that_are_not_reserved_does_not_count(engine: sa.Engine) -> None:
    answer(engine, add(engine, "3a"), "food")  # its file was edited after the answer
    assert live(engine) == {}


def test_a_judgement_of_the_live_model_counts_before_the_row(engine: sa.Engine) -> None:
    by_row, judged, unseen = add(engine, "0a"), add(engine, "0b"), add(engine, "0c", model_id=2)
    for photo in (by_row, judged, unseen):
        answer(engine, photo, "food")
    judge(engine, judged, "non_food")
    judge(engine, by_row, "non_food", model_id=2)
    assert live(engine) == {"0a": ("food", "food"), "0b": ("food", "non_food"), "0c": ("food", None)}
    assert live(engine, CANDIDATE) == {"0a": ("food", "non_food"), "0b": ("food", None), "0c": ("food", "food")}
    assert live(engine, "unknown") == dict.fromkeys(("0a", "0b", "0c"), ("food", None))


@pytest.mark.parametrize(("probability", "label"), [(0.6, "non_food"), (0.7, "food")])
def test_an_unsure_label_counts_by_the_threshold(engine: sa.Engine, probability: float, label: str) -> None:
    photo = add(engine, "0a", predicted_label="unsure", model_id=2, probability=probability)
    answer(engine, photo, "food")
    assert live(engine, CANDIDATE) == {"0a": ("food", label)}


def test_accuracy_is_the_share_of_right_labels_among_those_seen(engine: sa.Engine) -> None:
    answer(engine, add(engine, "0a"), "food")
    answer(engine, add(engine, "0b"), "non_food")
    answer(engine, add(engine, "0c", model_id=2), "food")
    accuracy = audit.accuracy(audit.audited(engine, LIVE))
    assert accuracy == Accuracy(right=1, of=2, answers=3)
    assert accuracy.share == 0.5
    assert accuracy.ci95 is not None
    assert accuracy.ci95 == pytest.approx((0.0945, 0.9055), abs=1e-4)


@pytest.mark.parametrize(
    ("right", "of", "missing"),
    [(0, 0, 125), (20, 20, 105), (122, 125, 0), (90, 100, 285), (97, 100, 25), (980, 1000, 0)],
)
def test_missing_answers_make_the_interval_three_per_cent_wide(right: int, of: int, missing: int) -> None:
    assert Accuracy(right, of, of).missing == missing
