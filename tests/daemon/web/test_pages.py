"""Long lists in a real browser: going back to them, new photos, missing photos, many failed photos."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture

LONG = "x" * 200 + ".jpg"


@pytest.fixture
def photos(root: Path) -> Path:
    """A root with a photo of a long name, a common one, and 64 files that are not images."""
    return sort(
        root, {LONG: picture(shade=1), "soup.jpg": picture(shade=2)} | {f"{n:02}.pdf": b"%PDF" for n in range(64)}
    )


def copies(photos: Path, times: int) -> None:
    """More rows of the newest photo."""
    with closing(sqlite3.connect(photos / "foodsort.db")) as database, database:
        named = "SELECT group_concat(name) FROM pragma_table_info('photos') WHERE name <> 'id'"
        (columns,) = database.execute(named).fetchone()
        copy = f"INSERT INTO photos ({columns}) SELECT {columns} FROM photos WHERE name = 'soup.jpg' LIMIT 1"
        for _ in range(times):
            database.execute(copy)


def scroll_to_the_end(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state()
    while page.locator("#older").is_visible():
        page.mouse.wheel(0, 5000)


def test_going_back_scrolls_to_the_photo_that_was_open(photos: Path, page: Page) -> None:
    copies(photos, 200)
    with reviewing(photos) as address:
        scroll_to_the_end(page, address)
        last = page.locator(".card .card-link").last
        last.click()
        expect(page.locator("h1")).to_have_text(LONG)
        page.wait_for_load_state()
        page.keyboard.press("Escape")
        expect(page.locator(".card .card-link").last).to_be_focused()
        expect(page.locator(".card:focus-within .name")).to_have_text(LONG)


def test_escape_leads_to_the_gallery_from_every_page(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/photo/1")
        page.goto(f"{address}/overview")
        page.goto(f"{address}/photo/2")
        page.keyboard.press("Escape")
        expect(page).to_have_url(f"{address}/#photo-2")


def test_a_selection_survives_new_photos(photos: Path, page: Page) -> None:
    copies(photos, 620)
    with reviewing(photos) as address:
        scroll_to_the_end(page, address)
        page.locator(".card").last.get_by_role("checkbox").check()
        copies(photos, 1)
        page.get_by_role("button", name="1 new photo").click()
        expect(page.locator(".card")).to_have_count(623)
        expect(page.get_by_role("region", name="Selected photos")).to_contain_text("1 selected")
        page.keyboard.press("Escape")
        copies(photos, 1)
        expect(page.locator(".card")).to_have_count(600)  # a page that stays open does not grow forever


@pytest.mark.parametrize("query", ["?order=certainty", "?after=9"])
def test_new_photos_do_not_appear_at_the_top_of_other_orders(photos: Path, page: Page, query: str) -> None:
    requests: list[str] = []
    with reviewing(photos) as address:
        page.goto(f"{address}/{query}")
        page.on("request", lambda request: requests.append(request.url))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.evaluate("fetch('/static/icon.svg').then((answer) => answer.text())")
        assert [url for url in requests if "newer" in url] == []


def test_the_reason_takes_the_place_of_a_missing_photo(photos: Path, page: Page) -> None:
    (photos / "food/soup.jpg").unlink()
    with reviewing(photos) as address:
        page.goto(address)
        card = page.locator(".card", has_text="soup.jpg")
        expect(card.locator(".frame")).to_have_text("the photo is no longer there")
        expect(page.locator(".missing")).to_have_count(1)
        card.get_by_role("link").click()
        expect(page.locator(".stage")).to_contain_text("the photo is no longer there")


def test_a_list_that_cannot_be_continued_has_a_message(photos: Path, page: Page) -> None:
    copies(photos, 100)
    with reviewing(photos) as address:
        page.route("**/cards?after=*", lambda route: route.abort())
        page.goto(address)
        page.get_by_role("link", name="More photos").click()
        expect(page.get_by_role("alert")).to_contain_text("foodsort review does not answer")


def test_retry_all_includes_photos_that_are_not_shown(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/failed")
        expect(page.locator("#failed-count")).to_have_text("64")
        page.get_by_role("button", name="Try again : 63.pdf").click()
        expect(page.locator("#failed-count")).to_have_text("63")
        page.get_by_role("button", name="Try all again").click()
        expect(page.get_by_text("Nothing failed.")).to_be_visible()
        expect(page.locator("#older")).to_be_hidden()
        expect(page.locator("#failed-count")).to_be_hidden()
        assert len(list((photos / "inbox").glob("*.pdf"))) == 64


@pytest.mark.parametrize("size", [(360, 740), (640, 400)])
def test_a_long_name_makes_nothing_wider_and_the_buttons_stay_in_view(
    photos: Path, browser: Browser, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    tab = context.new_page()
    with reviewing(photos) as address:
        tab.goto(f"{address}/photo/1")
        assert tab.evaluate("document.documentElement.scrollWidth") == size[0]
        expect(tab.get_by_role("button", name="Not food")).to_be_in_viewport(ratio=1)
    context.close()
