"""Signing in and out in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.daemon.conftest import Photo
from tests.daemon.web.conftest import HOST, reviewing, sort

TOKEN = "a token that is long enough"


@pytest.fixture
def locked(root: Path, photo: Photo) -> Iterator[str]:
    """A page with a token, and two photos."""
    sort(root, {"soup.jpg": photo(), "bread.jpg": photo(shade=9)})
    with reviewing(root, "--host", "0.0.0.0", FOODSORT_WEB__TOKEN=TOKEN) as address:
        yield address.replace("0.0.0.0", "127.0.0.1")


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_the_token_gives_access_until_signing_out(page: Page, locked: str) -> None:
    page.goto(f"{locked}/photo/1?show=food")
    sign_in(page)
    expect(page).to_have_url(f"{locked}/photo/1?show=food")
    expect(page.locator("#picture")).to_have_js_property("naturalWidth", 64)
    picture = page.locator("#picture").evaluate("image => image.src")
    page.goto(locked)
    page.keyboard.press("n")
    expect(page.locator(".toast")).to_contain_text("soup.jpg is not food now")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{locked}/login")
    page.goto(picture)
    expect(page).to_have_url(re.compile("/login"))


def test_two_pages_on_one_host_do_not_sign_each_other_out(page: Page, locked: str, root: Path) -> None:
    with reviewing(root, FOODSORT_WEB__TOKEN=TOKEN) as other:
        for address in (locked, other):
            page.goto(address)
            sign_in(page)
            expect(page.locator(".card")).to_have_count(2)
        page.goto(locked)
        expect(page.locator(".card")).to_have_count(2)


def test_an_outdated_form_redirects_to_the_page_or_to_a_new_form(page: Page, locked: str) -> None:
    second = page.context.new_page()
    for tab in (page, second):
        tab.goto(f"{locked}/photo/1")
    sign_in(page)
    expect(page.locator("#picture")).to_be_visible()
    sign_in(second)
    expect(second).to_have_url(f"{locked}/photo/1")
    page.context.clear_cookies()
    page.goto(f"{locked}/photo/2")
    page.locator("[name=csrf][type=hidden]").evaluate("field => field.value = '0'")
    sign_in(page)
    expect(page).to_have_url(f"{locked}/login?next=%2Fphoto%2F2")
    sign_in(page)
    expect(page).to_have_url(f"{locked}/photo/2")


def test_an_open_page_asks_for_the_token_when_its_session_ends(page: Page, locked: str) -> None:
    page.goto(locked.replace("127.0.0.1", HOST))  # there Chromium sends no Sec-Fetch headers
    sign_in(page)
    expect(page.locator(".card")).to_have_count(2)
    page.context.clear_cookies()
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_wrong_token_is_reported_and_many_are_delayed(page: Page, locked: str) -> None:
    page.goto(f"{locked}/overview")
    for _ in range(5):
        sign_in(page, "wrong")
        expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts")
