"""Undo in a real browser, with slow and failing requests and with quick fingers."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture

PHOTOS = 52
"""A few more than one request changes."""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = {f"{number:02}.jpg": picture(shade=number) for number in range(PHOTOS)}
    return sort(tmp_path_factory.mktemp("kept") / "root", photos)


@pytest.fixture
def photos(root: Path, once: Path) -> Path:
    """A root of photos of food, the newest of the highest number."""
    shutil.copytree(once, root, dirs_exist_ok=True)
    return root


def not_food(root: Path) -> set[str]:
    return {path.name for path in (root / "non_food").iterdir()}


def labels(photos: Path) -> list[tuple[int, str]]:
    """People's labels, by the photo's number."""
    with closing(sqlite3.connect(photos / "foodsort.db")) as database:
        return list(database.execute("SELECT photo_id - 1, label FROM reviews ORDER BY id"))


def test_undo_waits_for_a_label_in_flight(photos: Path, page: Page) -> None:
    held: list[Route] = []
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        page.route("**/label*", lambda route: held.append(route))
        with page.expect_request("**/label*"):
            page.keyboard.press("n")
        page.keyboard.press("u")
        with page.expect_response("**/withdraw*"):
            held[0].continue_()
        expect(page.locator(".toast")).to_contain_text("51.jpg is as before")
        assert not_food(photos) == set()


def test_an_undo_without_a_response_can_be_repeated(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("n")
        expect(page.locator(".toast")).to_contain_text("51.jpg is not food now")
        page.route("**/withdraw*", lambda route: route.abort())
        page.keyboard.press("u")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        page.unroute("**/withdraw*")
        page.keyboard.press("u")
        expect(page.locator(".toast")).to_contain_text("51.jpg is as before")
        assert not_food(photos) == set()


def test_a_change_that_failed_halfway_is_reported_and_can_be_undone(photos: Path, page: Page) -> None:
    requests: list[Route] = []

    def only_first(route: Route) -> None:
        requests.append(route)
        route.continue_() if len(requests) == 1 else route.abort()

    with reviewing(photos) as address:
        page.goto(address)
        page.route("**/label*", only_first)
        page.keyboard.press("a")
        page.keyboard.press("n")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        expect(page.locator(".card .tag", has_text="not food")).to_have_count(50)
        assert len(not_food(photos)) == 50
        page.keyboard.press("u")
        expect(page.locator(".toast")).to_contain_text("50 photos are as before")
        assert not_food(photos) == set()


def test_a_newer_label_of_another_person_is_not_undone(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("n")
        expect(page.locator(".toast")).to_contain_text("51.jpg is not food now")
        other = page.context.new_page()
        other.goto(address)
        other.keyboard.press("j")
        other.keyboard.press("f")
        expect(other.locator(".toast")).to_contain_text("51.jpg is food now")
        page.keyboard.press("u")
        expect(page.get_by_role("alert")).to_contain_text("51.jpg has been labelled since")
        assert labels(photos) == [(51, "non_food"), (51, "food")]


def test_a_label_removed_by_its_button_is_not_undone_again(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        for key in "jnknkn":  # the last two are the same label
            page.keyboard.press(key)
        expect(page.locator(".card .tag", has_text="not food")).to_have_count(1)
        page.goto(f"{address}/photo/52")
        page.get_by_role("button", name="Remove the label").click()
        expect(page.locator(".toast")).to_contain_text("51.jpg is as before")
        page.wait_for_load_state()
        page.keyboard.press("u")
        expect(page.locator(".toast")).to_contain_text("nothing to undo")
        assert labels(photos) == []


def test_a_held_key_labels_one_photo(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        for _ in range(5):
            page.keyboard.down("n")
        page.keyboard.up("n")
        page.keyboard.press("n")
        expect(page.locator(".toast")).to_contain_text("50.jpg is not food now")
        assert not_food(photos) == {"51.jpg", "50.jpg"}


def test_no_key_labels_a_photo_without_focus(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.mouse.wheel(0, 900)
        page.wait_for_function("scrollY > 500")
        page.keyboard.press("n")
        marked = page.locator(".card:focus-within")
        expect(marked).to_be_in_viewport()
        name = marked.locator(".name").inner_text()
        assert name < "51.jpg"
        page.keyboard.press("n")
        expect(page.locator(".toast")).to_contain_text(f"{name} is not food now")
        assert not_food(photos) == {name}


def test_two_quick_keys_label_a_large_photo_once(photos: Path, page: Page) -> None:
    held: list[Route] = []
    with reviewing(photos) as address:
        page.goto(f"{address}/photo/52")
        page.route("**/label*", lambda route: held.append(route))
        with page.expect_request("**/label*"):
            page.keyboard.press("n")
        page.keyboard.press("f")
        page.keyboard.press("ArrowRight")
        held[0].continue_()
        expect(page.get_by_role("heading", level=1)).to_have_text("50.jpg")
        page.wait_for_load_state()
        assert labels(photos) == [(51, "non_food")]
        page.keyboard.press("u")
        expect(page.get_by_role("heading", level=1)).to_have_text("51.jpg")
        expect(page.locator(".toast")).to_contain_text("51.jpg is as before")
        assert labels(photos) == []
