from datetime import UTC, datetime, timedelta

import pytest

from daemon.web.filters import FilterError, GalleryFilters, read


def test_an_address_says_all_that_is_wanted_and_nothing_else() -> None:
    wanted = GalleryFilters("food", True, "2026-11-01", "2026-11-24T18:30", 0.75, "trip & *\"'", "certainty")
    words = dict(pair.split("=") for pair in wanted.query[1:].split("&"))
    assert words["name"] == "trip+%26+%2A%22%27"
    assert read({**words, "name": "trip & *\"'", "until": "2026-11-24T18:30"}) == wanted
    assert read({}) == GalleryFilters()
    assert GalleryFilters().query == ""


def test_a_day_counts_to_its_end_and_a_time_as_it_is() -> None:
    day = datetime(2026, 11, 24)  # noqa: DTZ001
    assert read({"since": "2026-11-24", "until": "2026-11-24"}).times == (day, day + timedelta(days=1))
    assert read({"until": "2026-11-24T18:30:00Z"}).times == (None, datetime(2026, 11, 24, 18, 30, tzinfo=UTC))


def test_each_chip_drops_its_filter_alone() -> None:
    wanted = GalleryFilters(since="2026-11-01", certainty=0.9, name="soup*")
    assert wanted.chips == [
        ("at most 90 % sure", "?since=2026-11-01&name=soup%2A"),
        ("since 2026-11-01", "?certainty=0.9&name=soup%2A"),
        ("name soup*", "?since=2026-11-01&certainty=0.9"),
    ]


def test_a_name_is_looked_for_as_it_stands_in_the_database() -> None:
    assert read({"name": " a\\b\x00\u202ec* "}).name == r"a\b\x00\xe2\x80\xaec*"


@pytest.mark.parametrize(
    "words",
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
def test_what_there_cannot_be_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(FilterError):
        read(words)
