from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.queries import teaching
from daemon.queries.teaching import DoubtfulLabel
from tests.daemon.sample_database import DAY, add, make_database

CANDIDATE = "c"


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database of each kind with a candidate, model 2."""
    engine = make_database(address)
    insert(engine, schema.models, id=2, sha256=CANDIDATE, name="c", card="{}", first_used_at=DAY % 1)
    yield engine
    engine.dispose()


def insert(engine: sa.Engine, table: sa.Table, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(table.insert().values(values))


def judge(engine: sa.Engine, photo_id: int, label: str, model_id: int = 2) -> None:
    values = {"photo_id": photo_id, "model_id": model_id, "label": label, "probability": 0.5}
    insert(engine, schema.judgements, **values, logit=1.0, judged_at=DAY % 2)


def uncertain(engine: sa.Engine, limit: int = 10) -> list[str]:
    return [photo.sha256 for photo in teaching.uncertain(engine, limit)]


def test_the_most_uncertain_photos_come_first(engine: sa.Engine) -> None:
    for sha256, probability in (("3a", 0.9), ("4a", 0.45), ("5a", 0.6), ("6a", 0.52)):
        add(engine, sha256, probability=probability)
    assert uncertain(engine) == ["6a", "4a", "5a", "3a"]
    assert uncertain(engine, 2) == ["6a", "4a"]


def test_photos_that_are_labelled_reserved_or_away_are_not_chosen(engine: sa.Engine) -> None:
    add(engine, "3a", corrected=("food",))
    add(engine, "2f", probability=0.5)
    add(engine, "3b", state="undone")
    add(engine, "3c", probability=None)  # found by `foodsort repair`
    add(engine, "3d")
    assert uncertain(engine) == ["3d"]


def test_only_the_newest_photos_are_searched(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for sha256, probability in (("3a", 0.5), ("4a", 0.9), ("5a", 0.8)):
        add(engine, sha256, probability=probability)
    monkeypatch.setattr(teaching, "NEWEST", 2)
    assert uncertain(engine) == ["5a", "4a"]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"camera": "A", "taken_at": "2026-11-24T18:30:01"}, {"camera": "A", "taken_at": "2026-11-24T18:30:59"}, True),
        ({"camera": "A", "taken_at": "2026-11-24T18:30:01"}, {"camera": "B", "taken_at": "2026-11-24T18:30:01"}, False),
        ({"camera": "A", "taken_at": "2026-11-24T18:30:59"}, {"camera": "A", "taken_at": "2026-11-24T18:31:00"}, False),
        ({"classified_at": "2026-11-24T18:30:01.1Z"}, {"classified_at": "2026-11-24T18:30:02.1Z"}, True),
        ({"classified_at": "2026-11-24T18:30:01.1Z"}, {"classified_at": "2026-11-24T18:31:01.1Z"}, False),
    ],
)
def test_photos_of_one_camera_and_minute_are_a_burst(
    engine: sa.Engine, first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    add(engine, "3a", **first)
    add(engine, "4a", **second)
    bursts = {photo.burst for photo in teaching.uncertain(engine, 2)}
    assert (len(bursts) == 1) == same


def test_disagreements_are_photos_that_the_candidate_labels_otherwise(engine: sa.Engine) -> None:
    for sha256, label in (("3a", "non_food"), ("4a", "food"), ("5a", "unsure"), ("2a", "non_food")):
        judge(engine, add(engine, sha256), label)
    judge(engine, add(engine, "6a", corrected=("food",)), "non_food")
    judge(engine, add(engine, "7a", state="missing"), "non_food")
    judge(engine, add(engine, "8a"), "non_food", model_id=1)
    found = teaching.disagreements(engine, CANDIDATE, 10)
    assert [photo.sha256 for photo in found] == ["5a", "3a"]
    assert [photo.sha256 for photo in teaching.disagreements(engine, CANDIDATE, 1)] == ["5a"]
    assert teaching.disagreements(engine, "unknown", 10) == []


def test_labels_in_doubt_are_those_given_once(engine: sa.Engine) -> None:
    once = add(engine, "3a", corrected=("non_food",))
    add(engine, "4a", corrected=("food", "food"))
    add(engine, "5a")
    add(engine, "2a", corrected=("food",))
    asked = ("3a", "4a", "5a", "2a")
    with engine.connect() as connection:
        review_id = connection.execute(
            sa.select(schema.reviews.c.id).where(schema.reviews.c.photo_id == once)
        ).scalar_one()
    assert teaching.doubtful(engine, asked) == [DoubtfulLabel(once, "3a", "non_food", review_id)]
    assert teaching.doubtful(engine, ("4a",)) == []


def test_of_copies_one_label_is_in_doubt_until_one_was_labelled_again(engine: sa.Engine) -> None:
    first = add(engine, "3a", corrected=("food",))
    add(engine, "3a", corrected=("food",))
    assert [label.id for label in teaching.doubtful(engine, ("3a",))] == [first]
    add(engine, "3a", corrected=("food", "non_food"))
    assert teaching.doubtful(engine, ("3a",)) == []
