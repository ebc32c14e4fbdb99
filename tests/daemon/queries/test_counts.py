from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.queries import counts
from daemon.queries.arguments import GroupBy
from daemon.queries.filters import Filters
from tests.daemon.sample_database import add, make_database


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database of five photos from two days and two cameras, one of them failed and two labelled by a person."""
    engine = make_database(address)
    add(engine, "a1", 1, camera="Canon")
    add(engine, "a2", 1, predicted_label="non_food", camera="Canon", corrected=("food", "non_food"))
    add(engine, "b1", 2, corrected=("non_food",))
    add(engine, "b2", 2, predicted_label="unsure", probability=0.5, camera="Nikon")
    failed: dict[str, Any] = {
        "predicted_label": None,
        "probability": None,
        "classified_at": None,
        "error_kind": "truncated",
    }
    add(engine, "b3", 2, state="failed", **failed)
    yield engine
    engine.dispose()


def count(engine: sa.Engine, by: GroupBy, **filters: Any) -> list[tuple[Any, ...]]:
    return [tuple(group.values()) for group in counts.groups(engine, Filters(**filters), by)]


def test_days_come_newest_first_and_a_failed_photo_counts_on_the_day_it_was_claimed(engine: sa.Engine) -> None:
    assert counts.columns("day") == [
        *("day", "photos", "food", "non_food", "unsure", "failed", "labelled", "corrected"),
    ]
    assert list(next(counts.groups(engine, Filters(), "day"))) == counts.columns("day")
    assert count(engine, "day") == [
        ("2026-11-02", 3, 0, 1, 1, 1, 1, 1),
        ("2026-11-01", 2, 1, 1, 0, 0, 1, 0),
    ]


def test_other_groups_are_ordered_by_number_of_photos(engine: sa.Engine) -> None:
    assert count(engine, "model") == [("m", 5, 1, 2, 1, 1, 2, 1)]
    assert count(engine, "label") == [
        ("non_food", 2, 0, 2, 0, 0, 2, 1),
        ("food", 1, 1, 0, 0, 0, 0, 0),
        ("unsure", 1, 0, 0, 1, 0, 0, 0),
        (None, 1, 0, 0, 0, 1, 0, 0),
    ]
    assert count(engine, "camera") == [
        ("Canon", 2, 1, 1, 0, 0, 1, 0),
        (None, 2, 0, 1, 0, 1, 1, 1),
        ("Nikon", 1, 0, 0, 1, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("filters", "photos"),
    [
        ({"label": "non_food"}, [1, 1]),
        ({"since": datetime(2026, 11, 2, tzinfo=UTC)}, [2]),
        ({"until": datetime(2026, 11, 2, tzinfo=UTC)}, [2]),
        ({"states": ("failed",)}, [1]),
        ({"name": "b*"}, [3]),
        ({"name": "?1"}, [1, 1]),
        ({"name": "a1"}, [1]),
        ({"min_probability": 0.6}, [1]),
        ({"limit": 1}, [3]),
        ({"states": ("missing",)}, []),
    ],
)
def test_groups_count_only_photos_that_match_the_filters(
    engine: sa.Engine, filters: dict[str, Any], photos: list[int]
) -> None:
    assert [group[1] for group in count(engine, "day", **filters)] == photos
