"""The overview's queries, on SQLite and on PostgreSQL: 200 photos, see conftest."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.database.timestamps import format_time
from daemon.web import stats
from daemon.web.stats import ALL_TIME, Counts, NewestPhotos, Statistics
from models.bundle import Bundle
from tests.daemon.web.conftest import NOON, row


def at(minute: int) -> str:
    return format_time(NOON + timedelta(minutes=minute))


def test_each_photo_counts_once_under_its_current_label(engine: sa.Engine) -> None:
    # 200 photos: each third is not food, each tenth failed, but for 150, which a person calls food.
    whole = Counts(food=120 + 1, non_food=60, failed=19)
    assert Statistics(engine).between(ALL_TIME) == [whole]
    parts = Statistics(engine).between([ALL_TIME[0], at(60), at(150), at(151), ALL_TIME[1]])
    assert parts[2] == Counts(food=1)
    assert Counts(*(sum(counts) for counts in zip(*parts, strict=True))) == whole
    assert parts[0] == Counts(food=36, non_food=18, failed=5)


def test_undone_and_missing_photos_do_not_count(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for number, label in ((1, "non_food"), (2, "non_food"), (4, "food")):
            connection.execute(schema.reviews.insert().values(photo_id=number, label=label, reviewed_at=at(0)))
        p = schema.photos
        for state, ids in (("undone", (1, 3)), ("missing", (150,)), ("duplicate", (2,)), ("retry", (200,))):
            connection.execute(p.update().where(p.c.id.in_(ids)).values(state=state))
    statistics = Statistics(engine)
    assert statistics.between(ALL_TIME) == [Counts(food=120 - 2, non_food=60 - 1 + 1, failed=18)]
    assert statistics.between([at(1), at(2), at(3), at(4)]) == [Counts(), Counts(non_food=1), Counts()]
    assert statistics.labelled() == 2


def test_an_empty_database_has_no_photos(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(schema.reviews.delete())
        connection.execute(schema.photos.delete())
    empty = Statistics(engine)
    assert empty.between(ALL_TIME) == [Counts()]
    assert (empty.labelled(), empty.label_pairs(), empty.newest()) == (0, {}, NewestPhotos())


def test_the_newest_label_counts_and_exact_copies_count_once(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for photo, label in ((1, "food"), (2, "food"), (2, "non_food"), (3, "non_food"), (6, "food")):
            connection.execute(schema.reviews.insert().values(photo_id=photo, label=label, reviewed_at=at(0)))
        p = schema.photos
        connection.execute(p.update().where(p.c.id == 6).values(sha256=f"{150:064x}"))  # a copy of 150: both food
    statistics = Statistics(engine)
    assert statistics.labelled() == 5
    assert statistics.label_pairs() == {
        ("food", "food"): 1,
        ("non_food", "food"): 1,
        ("non_food", "non_food"): 1,
        ("food", "non_food"): 1,
    }


def test_the_newest_photos_are_those_of_the_newest_model(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Bundle.load().card.model_dump_json()
    later = NOON + timedelta(minutes=300)
    with engine.begin() as connection:
        model = {"sha256": "1" * 64, "name": "newer", "card": card, "first_used_at": format_time(later)}
        connection.execute(schema.models.insert().values(id=2, **model))
        for number, took_s in ((201, 1), (202, 2), (203, 4)):
            filed = format_time(later + timedelta(seconds=took_s))
            other = row(number, model_id=2, claimed_at=format_time(later), filed_at=filed, size_bytes=number)
            connection.execute(schema.photos.insert().values(other))
    newest = Statistics(engine).newest()
    assert (newest.model, newest.card) == ("newer", card)
    assert newest.sizes_bytes == [203, 202, 201]
    assert newest.durations_s[:4] == [4, 2, 1, 0]
    assert len(newest.p_food) == 3
    with engine.begin() as connection:  # a photo that a person has labelled may have moved long after it came
        connection.execute(schema.reviews.insert().values(photo_id=203, label="food", reviewed_at=format_time(later)))
    assert Statistics(engine).newest().durations_s[:2] == [2, 1]
    monkeypatch.setattr(stats, "NEWEST", 2)
    assert Statistics(engine).newest().sizes_bytes == [203, 202]


def test_the_database_has_a_size(engine: sa.Engine) -> None:
    size = Statistics(engine).database_bytes()
    assert size is not None
    assert size > 50_000
