from datetime import UTC, datetime, timedelta

import pytest

from daemon.web.filters import FilterError, GalleryFilters, parse


def test_a_query_has_all_filters_in_use_and_no_others() -> None:
    filters = GalleryFilters("food", True, "2026-11-01", "2026-11-24T18:30", 0.75, "trip & *\"'", "certainty")
    parameters = dict(pair.split("=") for pair in filters.query[1:].split("&"))
    assert parameters["name"] == "trip+%26+%2A%22%27"
    assert parse({**parameters, "name": "trip & *\"'", "until": "2026-11-24T18:30"}) == filters
    assert parse({}) == GalleryFilters()
    assert GalleryFilters().query == ""


def test_a_day_ends_at_midnight_and_a_time_is_exact() -> None:
    day = datetime(2026, 11, 24)  # noqa: DTZ001
    assert parse({"since": "2026-11-24", "until": "2026-11-24"}).times == (day, day + timedelta(days=1))
    assert parse({"until": "2026-11-24T18:30:00Z"}).times == (None, datetime(2026, 11, 24, 18, 30, tzinfo=UTC))


def test_each_chip_removes_its_own_filter() -> None:
    filters = GalleryFilters(since="2026-11-01", certainty=0.9, name="soup*")
    assert filters.chips == [
        ("at most 90 % sure", "?since=2026-11-01&name=soup%2A"),
        ("since 2026-11-01", "?certainty=0.9&name=soup%2A"),
        ("name soup*", "?since=2026-11-01&certainty=0.9"),
    ]


def test_a_name_is_escaped_as_in_the_database() -> None:
    assert parse({"name": " a\\b\x00\u202ec* "}).name == r"a\b\x00\xe2\x80\xaec*"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("soup", "soup*"), ("*soup?", "*soup?"), ("a[1]", "a[[]1]*"), ("", None)],
)
def test_a_name_is_a_prefix_or_a_pattern_without_brackets(name: str, pattern: str | None) -> None:
    assert GalleryFilters(name=name).pattern == pattern


@pytest.mark.parametrize(
    "parameters",
    [
        {"show": "cats"},
        {"order": "random"},
        {"since": "soon"},
        {"until": "2026-13-01"},
        {"until": "9999-12-31"},
        {"since": "0001-01-01"},
        {"certainty": "much"},
        {"certainty": "0.2"},
        {"certainty": "nan"},
    ],
)
def test_invalid_filters_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(FilterError):
        parse(parameters)
