"""The gallery's queries, on SQLite and on PostgreSQL."""

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.photo import FILED, FILING
from daemon.web import gallery as gallery_module
from daemon.web.filters import FilterError, GalleryFilters, parse
from daemon.web.gallery import CardRow, Gallery, Page, page_key
from tests.daemon.web.conftest import row

pytestmark = pytest.mark.slow


def pages(gallery: Gallery, filters: GalleryFilters) -> list[CardRow]:
    """All photos, page after page."""
    page = gallery.page(filters)
    rows = [*page.rows]
    while page.more:
        page = gallery.page(filters, page_key(filters, page.rows[-1]))
        rows += page.rows
    return rows


SORTED = [number for number in range(1, 201) if number % 10 or number == 150]


def label_of(number: int) -> str:
    return "food" if number % 3 or number == 150 else "non_food"


def certainty_of(number: int) -> float:
    return 0.5 + (number * 37 % 50) / 100


@pytest.mark.parametrize(
    ("parameters", "expected"),
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
def test_pages_have_each_matching_photo_once_newest_first(
    engine: sa.Engine, parameters: dict[str, str], expected: list[int]
) -> None:
    ids = [row["id"] for row in pages(Gallery(engine), parse(parameters))]
    assert ids == sorted(expected, reverse=True)


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize(
    "parameters", [{}, {"show": "food"}, {"name": "soup*"}, {"certainty": "0.8", "show": "non_food"}]
)
def test_the_least_certain_come_first_whether_few_or_many(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str], few: int
) -> None:
    monkeypatch.setattr(gallery_module, "_FEW", few)
    expected = [
        number
        for number in SORTED
        if label_of(number) == parameters.get("show", label_of(number))
        and (number % 2 or "name" not in parameters)
        and certainty_of(number) < float(parameters.get("certainty", 1)) + 0.005
    ]
    rows = pages(Gallery(engine), parse({**parameters, "order": "certainty"}))
    assert sorted(row["id"] for row in rows) == expected
    certainties = [row["certainty"] or 0 for row in rows]
    assert certainties == sorted(certainties)


@pytest.mark.parametrize("parameters", [{}, {"show": "food"}, {"order": "certainty"}, {"since": "2026-11-24"}])
def test_neighbours_are_those_of_the_pages(engine: sa.Engine, parameters: dict[str, str]) -> None:
    gallery, filters = Gallery(engine), parse(parameters)
    ids = [row["id"] for row in pages(gallery, filters)]
    for at in (0, 1, 70, len(ids) - 1):
        row = gallery.photo(ids[at])
        assert row is not None
        before, after = gallery.neighbours(filters, row)
        assert (before and before["id"]) == (ids[at - 1] if at else None)
        assert (after and after["id"]) == (ids[at + 1] if at + 1 < len(ids) else None)


def test_newer_photos_appear_once_they_are_in_their_folders_and_none_is_missed(engine: sa.Engine) -> None:
    gallery = Gallery(engine)
    upto = gallery.page(GalleryFilters()).upto
    assert upto == 200
    assert gallery.newer(GalleryFilters(), upto) == Page([], upto=200)
    with engine.begin() as connection:
        for number, state in ((201, FILED), (202, FILING), (203, FILED)):
            connection.execute(schema.photos.insert().values(row(number, state=state)))
    new = gallery.newer(GalleryFilters(), upto)
    assert [one["id"] for one in new.rows] == [201, 203]
    assert new.upto == 201
    with engine.begin() as connection:
        connection.execute(schema.photos.update().where(schema.photos.c.id == 202).values(state=FILED))
    new = gallery.newer(GalleryFilters(), new.upto)
    assert ([one["id"] for one in new.rows], new.upto) == ([202, 203], 203)
    assert [one["id"] for one in gallery.newer(GalleryFilters(show="non_food"), 200).rows] == [201]


def test_many_newer_photos_come_in_pages(engine: sa.Engine) -> None:
    gallery = Gallery(engine)
    first = gallery.newer(GalleryFilters(), 0)
    assert (len(first.rows), first.more, first.upto) == (gallery_module.PAGE, True, first.rows[-1]["id"])
    rest = gallery.newer(GalleryFilters(), first.upto)
    assert rest.rows[0]["id"] == next(number for number in SORTED if number > first.upto)


def test_a_key_of_another_order_is_refused(engine: sa.Engine) -> None:
    for after in ("0.5~7", "x", "1~2~3", ""):
        if after:
            with pytest.raises(FilterError):
                Gallery(engine).page(GalleryFilters(), after)
    with pytest.raises(FilterError):
        Gallery(engine).page(GalleryFilters(order="certainty"), "7")


def test_failed_photos_are_counted_up_to_a_limit(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Gallery(engine).failed() == 19
    monkeypatch.setattr(gallery_module, "MANY", 5)
    assert Gallery(engine).failed() == 5
