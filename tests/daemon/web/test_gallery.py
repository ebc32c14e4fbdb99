"""Questions of the page, to SQLite and to PostgreSQL."""

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.photo import FILED, FILING
from daemon.web import gallery
from daemon.web.filters import FilterError, GalleryFilters, read
from daemon.web.gallery import Gallery, Page, key
from tests.daemon.web.conftest import row


def pages(asked: Gallery, wanted: GalleryFilters) -> list[gallery.Row]:
    """All photos, page after page."""
    found: list[gallery.Row] = []
    page = asked.page(wanted)
    found += page.rows
    while page.more:
        page = asked.page(wanted, key(wanted, page.rows[-1]))
        found += page.rows
    return found


SORTED = [number for number in range(1, 201) if number % 10 or number == 150]


def label_of(number: int) -> str:
    return "food" if number % 3 or number == 150 else "non_food"


def certainty_of(number: int) -> float:
    return 0.5 + (number * 37 % 50) / 100


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, SORTED),
        ({"show": "food"}, [n for n in SORTED if label_of(n) == "food"]),
        ({"show": "non_food"}, [n for n in SORTED if label_of(n) == "non_food"]),
        ({"show": "failed"}, [n for n in range(1, 201) if n not in SORTED]),
        ({"corrected": "1"}, [150]),
        ({"corrected": "1", "show": "non_food"}, []),
        ({"certainty": "0.6"}, [n for n in SORTED if certainty_of(n) < 0.605]),
        ({"name": "soup"}, [n for n in SORTED if n % 2]),
        ({"name": "*_0?1*"}, [n for n in SORTED if n < 100 and n % 10 == 1]),
        ({"name": "sea*"}, []),
        ({"name": "*[s]*"}, []),
        ({"name": "%"}, []),
        ({"since": "2026-11-24T13:00:00Z", "until": "2026-11-24T14:30:00Z"}, [n for n in SORTED if 60 <= n < 150]),
        ({"since": "2026-11-24T13:00:00Z", "show": "food"}, [n for n in SORTED if n >= 60 and label_of(n) == "food"]),
    ],
)
def test_pages_hold_each_wanted_photo_once_newest_first(
    engine: sa.Engine, words: dict[str, str], expected: list[int]
) -> None:
    found = [row["id"] for row in pages(Gallery(engine), read(words))]
    assert found == sorted(expected, reverse=True)


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("words", [{}, {"show": "food"}, {"name": "soup*"}, {"certainty": "0.8", "show": "non_food"}])
def test_the_least_certain_come_first_whether_few_or_many(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, words: dict[str, str], few: int
) -> None:
    monkeypatch.setattr(gallery, "_FEW", few)
    expected = [
        number
        for number in SORTED
        if label_of(number) == words.get("show", label_of(number))
        and (number % 2 or "name" not in words)
        and certainty_of(number) < float(words.get("certainty", 1)) + 0.005
    ]
    found = pages(Gallery(engine), read({**words, "order": "certainty"}))
    assert sorted(row["id"] for row in found) == expected
    assert [row["certainty"] for row in found] == sorted(row["certainty"] for row in found)


@pytest.mark.parametrize("words", [{}, {"show": "food"}, {"order": "certainty"}, {"since": "2026-11-24"}])
def test_neighbours_are_those_of_the_pages(engine: sa.Engine, words: dict[str, str]) -> None:
    asked, wanted = Gallery(engine), read(words)
    found = [row["id"] for row in pages(asked, wanted)]
    for at in (0, 1, 70, len(found) - 1):
        row = asked.photo(found[at])
        assert row is not None
        before, after = asked.beside(wanted, row)
        assert (before and before["id"]) == (found[at - 1] if at else None)
        assert (after and after["id"]) == (found[at + 1] if at + 1 < len(found) else None)


def test_newer_photos_come_when_they_are_at_their_places_and_none_is_passed_over(engine: sa.Engine) -> None:
    asked = Gallery(engine)
    upto = asked.page(GalleryFilters()).upto
    assert upto == 200
    assert asked.newer(GalleryFilters(), upto) == Page([], upto=200)
    with engine.begin() as connection:
        for number, state in ((201, FILED), (202, FILING), (203, FILED)):
            connection.execute(schema.photos.insert().values(row(number, state=state)))
    new = asked.newer(GalleryFilters(), upto)
    assert [one["id"] for one in new.rows] == [201, 203]
    assert new.upto == 201
    with engine.begin() as connection:
        connection.execute(schema.photos.update().where(schema.photos.c.id == 202).values(state=FILED))
    new = asked.newer(GalleryFilters(), new.upto)
    assert ([one["id"] for one in new.rows], new.upto) == ([202, 203], 203)
    assert [one["id"] for one in asked.newer(GalleryFilters(show="non_food"), 200).rows] == [201]


def test_many_newer_photos_come_in_parts(engine: sa.Engine) -> None:
    asked = Gallery(engine)
    first = asked.newer(GalleryFilters(), 0)
    assert (len(first.rows), first.more, first.upto) == (gallery.PAGE, True, first.rows[-1]["id"])
    rest = asked.newer(GalleryFilters(), first.upto)
    assert rest.rows[0]["id"] == next(number for number in SORTED if number > first.upto)


def test_an_address_that_leads_on_in_another_order_is_refused(engine: sa.Engine) -> None:
    for after in ("0.5~7", "x", "1~2~3", ""):
        if after:
            with pytest.raises(FilterError):
                Gallery(engine).page(GalleryFilters(), after)
    with pytest.raises(FilterError):
        Gallery(engine).page(GalleryFilters(order="certainty"), "7")


def test_failed_photos_are_counted_up_to_a_bound(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Gallery(engine).failed() == 19
    monkeypatch.setattr(gallery, "MANY", 5)
    assert Gallery(engine).failed() == 5
