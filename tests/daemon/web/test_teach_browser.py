"""Teach in a real browser: one key a photo."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.daemon.rows import execute, select
from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture

PHOTOS = 24


@pytest.fixture
def photos(root: Path) -> Path:
    """A root with photos of food, six of them of the audit sample."""
    sort(root, {f"{number:02}.jpg": picture(shade=4 * number) for number in range(1, PHOTOS + 1)})
    for number in range(1, PHOTOS + 1):
        digit = "0" if number % 4 == 0 else "3"
        execute(root, f"UPDATE photos SET sha256 = '{digit}{number:063x}' WHERE id = {number}")
    return root


def answers(photos: Path) -> list[tuple[str, str]]:
    return [(row["label"], row["source"]) for row in select(photos, "SELECT label, source FROM reviews ORDER BY id")]


def expect_position(page: Page, number: int, of: int = 20) -> None:
    expect(page.locator("#position")).to_have_text(f"{number} of {of}")
    expect(page.get_by_role("img", name=f"Photo {number} of {of}")).to_be_visible()
    page.wait_for_load_state()  # and until the keys work


def test_twenty_keys_label_twenty_photos(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.get_by_role("link", name="Teach").click()
        expect_position(page, 1)
        for number in range(20):
            page.keyboard.press("n" if number % 5 == 0 else "f")
        expect(page.get_by_role("heading", level=1)).to_have_text("20 photos labelled")
        labels = answers(photos)
        assert [label for label, _ in labels] == ["non_food" if number % 5 == 0 else "food" for number in range(20)]
        assert [source for _, source in labels].count("audit") == 5
        assert len(list((photos / "non_food").iterdir())) == 4
        expect(page.locator(".card")).to_have_count(20)
        expect(page.locator(".card", has_text="model: food")).to_have_count(4)
        page.keyboard.press("Enter")
        expect_position(page, 1, of=4)
        for _ in range(4):
            page.keyboard.press("f")
        expect(page.get_by_role("heading", level=1)).to_have_text("4 photos labelled")
        page.get_by_role("link", name="Twenty more").click()
        expect(page.get_by_text("There is no photo to ask about.")).to_be_visible()


def test_undo_leads_back_and_a_skipped_photo_is_left_out_of_the_next_set(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/teach")
        expect(page.get_by_role("button", name="Undo")).to_be_disabled()
        page.keyboard.press("n")
        page.keyboard.press(" ")
        expect_position(page, 3)
        page.keyboard.press("u")
        expect_position(page, 2)
        page.get_by_role("button", name="Undo").click()
        expect_position(page, 1)
        page.keyboard.press("f")
        page.get_by_role("button", name="Skip").click()
        expect_position(page, 3)
        skipped = page.locator("#questions li").nth(1).get_attribute("data-id")
        for _ in range(18):
            page.keyboard.press("f")
        expect(page.get_by_role("heading", level=1)).to_have_text("19 photos labelled")
        assert {label for label, _ in answers(photos)} == {"food"}
        assert len(answers(photos)) == 19
        page.get_by_role("link", name="Twenty more").click()
        expect_position(page, 1, of=4)
        assert skipped not in [item.get_attribute("data-id") for item in page.locator("#questions li").all()]
        page.goto(f"{address}/teach")
        expect_position(page, 1, of=5)


def test_an_answer_that_fails_is_reported_and_the_photo_is_asked_about_again(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/teach")
        number = int(page.locator("#questions li").first.get_attribute("data-id") or 0)
        (photos / f"food/{number:02}.jpg").rename(photos / "away.jpg")
        page.keyboard.press("n")
        expect(page.get_by_role("alert")).to_contain_text("The photo is no longer there.")
        for _ in range(19):
            page.keyboard.press("f")
        expect(page.get_by_role("heading", level=1)).to_have_text("19 photos labelled")
        (photos / "away.jpg").rename(photos / f"food/{number:02}.jpg")
        page.goto(f"{address}/teach")
        ids = [item.get_attribute("data-id") for item in page.locator("#questions li").all()]
        assert str(number) in ids


def test_a_set_is_answered_by_touch_on_a_phone(photos: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    with reviewing(photos) as address:
        page.goto(f"{address}/teach")
        for number in range(1, 21):
            expect_position(page, number)
            button = page.get_by_role("button", name=re.compile("^Food"))
            expect(button).to_be_in_viewport(ratio=1)
            button.tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("20 photos labelled")
        assert len(answers(photos)) == 20
    context.close()
