from datetime import date

import pytest

from daemon.web import formatting


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999_600, "1 MB"),
        (1234, "1.23 kB"),
        (80_200_000_000, "80.2 GB"),
        (4 * 10**12, "4 TB"),
    ],
)
def test_sizes_have_a_unit(size_bytes: int, text: str) -> None:
    assert formatting.size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0421, "42 ms"), (1.26, "1.3 s"), (95.4, "95 s"), (120, "2 min"), (3600, "60 min")]
)
def test_durations_have_one_or_two_units(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("certainty", "text"),
    [(None, ""), (0.5, "50 %"), (0.876, "88 %"), (0.997, "99.7 %"), (0.9999, ">99.9 %"), (1, ">99.9 %")],
)
def test_no_certainty_is_rounded_up_to_100_percent(certainty: float | None, text: str) -> None:
    assert formatting.certainty(certainty) == text


@pytest.mark.parametrize(
    ("probability", "text"), [(0, "<0.1 %"), (0.0004, "<0.1 %"), (0.5, "50.0 %"), (0.9996, ">99.9 %")]
)
def test_no_probability_is_rounded_to_0_or_100_percent(probability: float, text: str) -> None:
    assert formatting.probability(probability) == text


def test_label_counts_and_date_ranges_are_sentences() -> None:
    assert formatting.label_counts({"food": 1200, "non_food": 0, "unsure": 2}) == "1,200 food, 2 unsure"
    assert formatting.label_counts({"food": 0}) == "nothing"
    assert formatting.date_range(date(2026, 11, 1), date(2026, 11, 1)) == "1 November 2026"
    assert formatting.date_range(date(2025, 12, 29), date(2026, 1, 4)) == "29 Dec to 4 Jan 2026"
