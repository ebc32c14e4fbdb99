"""Which photos a model judges again, and what its judgements change."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from daemon.database import judgements, schema
from daemon.database.judgements import Judgement
from daemon.photo import Prediction
from daemon.queries.judgements import Choice, UnknownModel, count, known_logits, models_named, unjudged
from daemon.queries.reclassification import count_reclassifiable, diff, reclassifiable
from models.decision import Thresholds, label
from tests.daemon.sample_database import DAY, add, make_database

NEW = 2


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database with photos of the model 1, and a second model."""
    engine = make_database(address)
    with engine.begin() as connection:
        model = {"id": NEW, "sha256": "7d01e4", "name": "mine@7d01e4", "card": "{}", "first_used_at": DAY % 2}
        connection.execute(schema.models.insert().values(model))
    yield engine
    engine.dispose()


def names(engine: sa.Engine, choice: Choice) -> list[str]:
    return [photo.path.decode() for page in unjudged(engine, choice) for photo in page]


def judge(engine: sa.Engine, photo_id: int, name: str, p_food: float, look: int = 224) -> None:
    prediction = Prediction(logit=p_food, probability=p_food, label=label(p_food, Thresholds()), look=look)
    judgements.write_checked(engine, NEW, [Judgement(photo_id, name, prediction)])


def test_photos_of_other_models_and_those_near_the_threshold_are_judged_again(engine: sa.Engine) -> None:
    add(engine, "other model", probability=0.999)
    add(engine, "sure", probability=0.96, model_id=NEW)
    add(engine, "just near", probability=0.95, model_id=NEW)
    add(engine, "near", probability=0.05, model_id=NEW)
    add(engine, "surely not", probability=0.04, model_id=NEW)
    add(engine, "by its folder", probability=None)
    add(engine, "labelled", corrected=("food",))
    add(engine, "undone", state="undone")
    add(engine, "failed", state="failed", predicted_label=None, probability=None)
    assert names(engine, Choice(NEW)) == ["other model", "just near", "near"]
    everything = ["other model", "sure", "just near", "near", "surely not", "by its folder"]
    assert names(engine, Choice(NEW, everything=True)) == everything
    assert count(engine, Choice(NEW)) == (3, 0)


def test_filters_choose_by_time_and_model(engine: sa.Engine) -> None:
    add(engine, "early", day=1)
    add(engine, "late", day=3)
    add(engine, "late, new", day=4, model_id=NEW, probability=0.99)
    since = datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert names(engine, Choice(NEW, since=since)) == ["late", "late, new"]
    assert names(engine, Choice(NEW, model_ids=(1,))) == ["early", "late"]
    assert names(engine, Choice(NEW, since=since, model_ids=(1,))) == ["late"]


def test_a_model_is_named_by_its_name_or_its_digest(engine: sa.Engine) -> None:
    for name in ("mine", "mine@7d01e4", "7d01"):
        assert models_named(engine, name) == (NEW,)
    for name in ("min", "", "%"):
        with pytest.raises(UnknownModel, match=r"no model in the database has the name .*--by model"):
            models_named(engine, name)


def test_a_judged_photo_is_not_judged_again_until_its_bytes_change(engine: sa.Engine) -> None:
    photo_id = add(engine, "a")
    judge(engine, photo_id, "a", 0.2)
    assert (names(engine, Choice(NEW)), count(engine, Choice(NEW))) == ([], (1, 1))
    with engine.begin() as connection:
        connection.execute(schema.photos.update().values(sha256="b"))
    assert (names(engine, Choice(NEW)), count(engine, Choice(NEW))) == (["a"], (1, 0))
    judge(engine, photo_id, "a", 0.2)  # of the bytes that it had
    assert names(engine, Choice(NEW)) == ["a"]


def test_what_the_small_look_said_is_judged_again_when_the_small_look_is_off(engine: sa.Engine) -> None:
    photo_id = add(engine, "a")
    judge(engine, photo_id, "a", 0.2, look=128)
    assert names(engine, Choice(NEW, smallest_look=128)) == []
    full = Choice(NEW, smallest_look=224)
    assert names(engine, full) == ["a"]
    assert known_logits(engine, full, ["a"]) == {}
    judge(engine, photo_id, "a", 0.3, look=224)
    assert names(engine, full) == []
    assert known_logits(engine, full, ["a"])["a"] == (0.3, 224)


def test_the_logits_of_exact_copies_are_known(engine: sa.Engine) -> None:
    add(engine, "sorted", sha256="one", model_id=NEW, logit=4.0, look=224)
    judge(engine, add(engine, "judged", sha256="two"), "two", 0.7)
    add(engine, "of another model", sha256="three", logit=1.0)
    assert known_logits(engine, Choice(NEW), ["one", "two", "three"]) == {"one": (4.0, 224), "two": (0.7, 224)}


def test_the_difference_is_in_the_labels_and_the_rest_follows_the_judgement(engine: sa.Engine) -> None:
    for name, p_food in (("a", 0.2), ("b", 0.8), ("c", 0.01)):
        judge(engine, add(engine, name), name, p_food)
    judge(engine, add(engine, "labelled", corrected=("food",)), "labelled", 0.1)
    found = diff(engine, NEW, limit=10)
    assert [(row.name, row.old_label, row.new_label, row.probability) for row in found] == [
        ("c", "food", "non_food", 0.01),
        ("a", "food", "non_food", 0.2),
    ]
    assert diff(engine, NEW, limit=1) == found[:1]
    assert diff(engine, 1, limit=10) == []
    choice = Choice(NEW)
    assert count_reclassifiable(engine, choice) == 3
    pending = reclassifiable(engine, choice, 0, 2)
    assert [(row.photo.id, row.judgement["predicted_label"]) for row in pending] == [(1, "non_food"), (2, "food")]
    assert (pending[0].previous["model_id"], pending[0].previous["predicted_label"]) == (1, "food")
    with engine.begin() as connection:
        for row in pending:
            connection.execute(schema.photos.update().where(schema.photos.c.id == row.photo.id).values(row.judgement))
    assert [row.photo.id for row in reclassifiable(engine, choice, 0, 9)] == [3]
    assert [row.name for row in diff(engine, NEW)] == ["c"]


@pytest.mark.parametrize(
    ("unsure", "labels"), [(False, ["non_food", "food", "food"]), (True, ["non_food", "unsure", "food"])]
)
def test_judgements_follow_the_settings_of_today(engine: sa.Engine, unsure: bool, labels: list[str]) -> None:
    for name, p_food in (("a", 0.2), ("b", 0.6), ("c", 0.7)):
        judge(engine, add(engine, name), name, p_food)
    with engine.begin() as connection:
        connection.execute(schema.judgements.update().values(label="unsure"))
    judgements.relabel(engine, 1, Thresholds(), unsure=unsure)
    judgements.relabel(engine, NEW, Thresholds(food=0.6, unsure_low=0.2, unsure_high=0.7), unsure=unsure)
    with engine.connect() as connection:
        query = sa.select(schema.judgements.c.label).order_by(schema.judgements.c.photo_id)
        assert list(connection.execute(query).scalars()) == labels


def test_a_judgement_of_a_photo_that_is_gone_is_not_written(engine: sa.Engine) -> None:
    judge(engine, 99, "a", 0.2)
    with engine.connect() as connection:
        assert connection.execute(sa.select(schema.judgements)).all() == []
