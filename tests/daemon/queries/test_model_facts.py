from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.queries import model_facts
from daemon.queries.model_facts import ResortBatch, Shadow
from tests.daemon.sample_database import DAY, add, make_database


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database of each kind with two models."""
    engine = make_database(address)
    insert(engine, schema.models, id=2, sha256="c", name="c", card="{}", first_used_at=DAY % 1)
    yield engine
    engine.dispose()


def insert(engine: sa.Engine, table: sa.Table, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(table.insert().values(values))


def judge(engine: sa.Engine, photo_id: int, label: str, model_id: int = 2, day: int = 2) -> None:
    values = {"photo_id": photo_id, "model_id": model_id, "label": label, "probability": 0.5}
    insert(engine, schema.judgements, **values, logit=1.0, judged_at=DAY % day)


def test_the_shadow_counts_judgements_and_other_labels(engine: sa.Engine) -> None:
    judge(engine, add(engine, "3a"), "food")
    judge(engine, add(engine, "4a"), "non_food")
    judge(engine, add(engine, "5a"), "non_food", model_id=1)
    audited = add(engine, "0a")
    judge(engine, audited, "non_food")
    insert(engine, schema.reviews, photo_id=audited, label="food", reviewed_at=DAY % 1, source="audit")
    assert model_facts.shadow(engine, "c") == Shadow(judged=2, disagreements=1)
    assert model_facts.shadow(engine, "unknown") == Shadow(0, 0)


def test_judgements_are_counted_since_a_time(engine: sa.Engine) -> None:
    judge(engine, add(engine, "3a"), "food", day=1)
    judge(engine, add(engine, "4a"), "food", day=2)
    assert model_facts.judged_since(engine, "c", DAY % 1) == 1
    assert model_facts.judged_since(engine, "s", DAY % 1) == 0


def test_a_digest_has_the_newest_row_of_a_filed_photo(engine: sa.Engine) -> None:
    add(engine, "3a")
    newest = add(engine, "3a")
    add(engine, "3a", state="missing")
    add(engine, "4a", state="undone")
    assert model_facts.ids_by_digest(engine, ["3a", "4a", "5a"]) == {"3a": newest}


def test_the_newest_resorted_batch_counts_the_photos_that_are_still_in_it(engine: sa.Engine) -> None:
    assert model_facts.newest_resort(engine) is None
    add(engine, "6a", batch_id=6)
    for sha256, batch_id, now_in in (("3a", 5, 5), ("4a", 5, 5), ("5a", 6, 1)):
        photo_id = add(engine, sha256, batch_id=now_in)
        previous = {"previous_batch_id": 1, "previous_model_id": 1}
        insert(engine, schema.reclassifications, batch_id=batch_id, photo_id=photo_id, **previous)
    assert model_facts.newest_resort(engine) == ResortBatch(5, DAY % 1, 2)
