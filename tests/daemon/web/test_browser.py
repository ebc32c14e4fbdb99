"""The review page in a real browser, over photos that the real pipeline has sorted."""

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.daemon.conftest import running
from tests.daemon.rows import rows
from tests.daemon.web.conftest import expect_open, reviewing, sort
from tests.daemon.web.pictures import picture

HOSTILE = """<img src=x onerror=alert(1)> "it's" \u202egpj.exe\u202c عشاء.jpg"""
SHOWN = r"""<img src=x onerror=alert(1)> "it's" \xe2\x80\xaegpj.exe\xe2\x80\xac عشاء.jpg"""


PHOTOS = {
    "bill.pdf": b"%PDF",
    "sea.jpg": picture("non_food", 1),
    HOSTILE: picture("food", 2),
    "trip/soup.jpg": picture("food", 3),
    "maybe.jpg": picture("unsure", 120),
    "bread.jpg": picture("food", 5),
}
"""Newest last."""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose photos no test changes."""
    return sort(tmp_path_factory.mktemp("kept") / "root", PHOTOS)


@pytest.fixture(scope="module")
def kept(once: Path) -> Iterator[str]:
    """The address of a page whose photos no test changes."""
    with reviewing(once) as address:
        yield address


@pytest.fixture
def photos(root: Path, once: Path) -> Path:
    """A root whose photos a test may change."""
    shutil.copytree(once, root, dirs_exist_ok=True)
    return root


def place(root: Path, name: str) -> str:
    return str(next(row["path"] for row in rows(root) if row["name"] == name))


def names(page: Page) -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def test_photos_come_newest_first_with_pictures_and_labels(kept: str, page: Page) -> None:
    page.goto(kept)
    shown = names(page)
    assert [name for name in shown if name in PHOTOS or "/" in name] == ["bread.jpg", "maybe.jpg", "sea.jpg"]
    assert len(shown) == 5
    assert page.locator(".card .tag").all_inner_texts() == ["food", "food", "food", "food", "not food"]
    for image in page.locator(".frame img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") == 96


def test_one_key_labels_a_photo_and_another_undoes_it(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        expect(page.locator(".card .card-link").first).to_be_focused()
        page.keyboard.press("n")
        expect(page.locator(".card .tag").first).to_have_text("not food")
        expect(page.locator(".card .caption").first).to_contain_text("by hand")
        expect(page.locator(".card .card-link").nth(1)).to_be_focused()
        expect(page.locator(".toast")).to_contain_text("bread.jpg is not food now")
        assert (photos / "non_food/bread.jpg").exists()
        page.keyboard.press("u")
        expect(page.locator(".card .tag").first).to_have_text("food")
        expect(page.locator(".card .caption").first).not_to_contain_text("by hand")
        expect(page.locator(".card .card-link").first).to_be_focused()
        assert place(photos, "bread.jpg") == "food/bread.jpg"
        assert (photos / "food/bread.jpg").exists()


def test_selected_photos_are_labelled_together_and_undone_by_the_toast(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.keyboard.press("j")
        page.keyboard.press("x")
        page.locator(".card .card-link").nth(2).click(modifiers=["Shift"])
        bulk = page.get_by_role("region", name="Selected photos")
        expect(bulk).to_contain_text("3 selected")
        bulk.get_by_role("button", name="Not food").click()
        expect(page.locator(".card .tag", has_text="not food")).to_have_count(4)
        expect(bulk).to_be_hidden()
        assert len(list((photos / "non_food").rglob("*.jpg"))) == 4
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".card .tag", has_text="not food")).to_have_count(1)
        assert len(list((photos / "non_food").rglob("*.jpg"))) == 1


def test_a_photo_that_cannot_be_labelled_is_reported_and_the_others_are_labelled(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        os.unlink(photos / "food/bread.jpg")
        page.keyboard.press("a")
        page.keyboard.press("n")
        expect(page.get_by_role("alert")).to_contain_text("bread.jpg")
        expect(page.locator(".card .tag", has_text="not food")).to_have_count(4)
        expect(page.locator(".card .tag").first).to_have_text("food")


def test_filters_are_in_the_address_and_apply_to_neighbours(kept: str, page: Page) -> None:
    page.goto(kept)
    page.get_by_role("link", name="Not food", exact=True).click()
    expect(page).to_have_url(f"{kept}/?show=non_food")
    assert names(page) == ["sea.jpg"]
    page.get_by_role("link", name="All", exact=True).click()
    expect(page).to_have_url(f"{kept}/?")
    page.get_by_role("combobox", name="Order").select_option(label="Least certain first")
    expect(page).to_have_url(f"{kept}/?order=certainty")
    assert names(page)[0] == "maybe.jpg"
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Certainty").select_option(label="at most 75 % sure")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(f"{kept}/?order=certainty&certainty=0.75")
    assert names(page) == ["maybe.jpg"]
    page.get_by_role("link", name="Remove filter: at most 75 % sure").click()
    expect(page).to_have_url(f"{kept}/?order=certainty")
    page.goto(f"{kept}/?show=food&name=*o*")
    page.locator(".card", has_text="soup.jpg").get_by_role("link").click()
    expect_open(page, "soup.jpg")
    page.keyboard.press("j")
    expect_open(page, SHOWN)
    assert page.url.endswith("?show=food&name=%2Ao%2A")
    page.keyboard.press("j")
    expect(page.locator(".toast")).to_have_text(re.compile("last photo"))


def test_a_photo_shows_its_facts_and_escape_leads_back_to_its_card(kept: str, page: Page) -> None:
    page.goto(kept)
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect_open(page, "maybe.jpg")
    expect(page.get_by_role("img", name="maybe.jpg")).to_have_js_property("complete", True)
    expect(page.get_by_role("img", name=re.compile("Probability of food: .* %; threshold 50 %"))).to_be_visible()
    for fact in ("food/maybe.jpg", "96 × 64, JPEG", "scripted"):
        expect(page.locator(".facts")).to_contain_text(fact)
    assert page.locator(".history li").count() >= 1
    page.keyboard.press("k")
    expect_open(page, "bread.jpg")
    page.keyboard.press("s")
    expect_open(page, "maybe.jpg")
    page.keyboard.press("Escape")
    expect(page.locator(".card .card-link").nth(1)).to_be_focused()


def test_an_explanation_without_a_map_has_a_message(kept: str, page: Page) -> None:
    page.goto(kept)
    page.locator(".card-link").first.click()
    expect_open(page, "bread.jpg")
    page.get_by_role("button", name="Why?").click()
    expect(page.get_by_role("alert")).to_contain_text("scripted engine")
    expect(page.get_by_role("button", name="Why?")).to_have_attribute("aria-pressed", "false")


def test_labelling_a_large_photo_opens_the_next_and_undo_comes_back(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.locator(".card-link").first.click()
        expect_open(page, "bread.jpg")
        page.keyboard.press("n")
        expect_open(page, "maybe.jpg")
        expect(page.locator(".toast")).to_contain_text("bread.jpg is not food now")
        assert (photos / "non_food/bread.jpg").exists()
        page.keyboard.press("u")
        expect_open(page, "bread.jpg")
        assert (photos / "food/bread.jpg").exists()


def test_new_photos_appear_and_are_announced(photos: Path, page: Page) -> None:
    with reviewing(photos) as address, running(photos):
        page.goto(address)
        expect(page.locator(".card")).to_have_count(5)
        (photos / "inbox/new.jpg").write_bytes(picture("non_food", 9))
        expect(page.locator(".card").first).to_contain_text("new.jpg")
        expect(page.get_by_role("status")).to_have_text("1 new photo")
        # They wait behind a button once another card has the focus.
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        (photos / "inbox/newer.jpg").write_bytes(picture("non_food", 10))
        page.get_by_role("button", name="1 new photo").click()
        expect(page.locator(".card").first).to_contain_text("newer.jpg")
        expect(page.locator(".card")).to_have_count(7)


def test_a_repaired_photo_is_retried(root: Path, page: Page) -> None:
    photos = sort(root, {"bill.pdf": b"%PDF"})  # a copy of it would count as another file
    with reviewing(photos) as address, running(photos):
        page.goto(f"{address}/failed")
        failure = page.get_by_role("listitem").filter(has_text="bill.pdf")
        expect(failure).to_contain_text("Not a picture")
        (photos / "failed/bill.pdf").write_bytes(picture("food", 11))
        failure.get_by_role("button", name="Try again").click()
        expect(failure).to_have_count(0)
        expect(page.get_by_text("Nothing failed.")).to_be_visible()
        page.goto(f"{address}/?name=bill.pdf&show=food")
        while not page.locator(".card").count():
            page.reload()
        assert place(photos, "bill.pdf") == "food/bill.pdf"


def test_a_failed_photo_is_deleted_after_confirmation(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/failed")
        page.keyboard.press("j")
        page.keyboard.press("Delete")
        dialog = page.get_by_role("dialog", name="Delete permanently?")
        expect(dialog).to_contain_text("bill.pdf")
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        assert (photos / "failed/bill.pdf").exists()
        page.keyboard.press("Delete")
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Nothing failed.")).to_be_visible()
        assert not (photos / "failed/bill.pdf").exists()
        page.reload()
        expect(page.get_by_text("Nothing failed.")).to_be_visible()


def test_scrolling_loads_more_photos(photos: Path, page: Page) -> None:
    with closing(sqlite3.connect(photos / "foodsort.db")) as database, database:
        (columns,) = database.execute(
            "SELECT group_concat(name) FROM pragma_table_info('photos') WHERE name <> 'id'"
        ).fetchone()
        copy = f"INSERT INTO photos ({columns}) SELECT {columns} FROM photos WHERE state = 'filed'"
        for _ in range(6):
            database.execute(copy)
    with reviewing(photos) as address:
        page.goto(address)
        while page.locator("#older").is_visible():
            page.mouse.wheel(0, 5000)
            page.keyboard.press("End")
        assert page.locator(".card").count() == 5 * 2**6
        ids = page.locator(".card").evaluate_all("cards => cards.map(card => Number(card.dataset.id))")
        assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "path", ["/", "/photo/3", "/failed", "/teach", "/teach/result?ids=3", "/model", "/overview", "/photo/99"]
)
def test_nothing_is_wider_than_a_phone(kept: str, browser: Browser, path: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(kept + path)
    if path == "/":
        page.get_by_text("Filters", exact=True).click()
        page.locator(".checkbox").first.click()
        expect(page.get_by_role("region", name="Selected photos")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_everything_works_by_keyboard(kept: str, page: Page) -> None:
    page.goto(kept)
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    bulk = page.get_by_role("region", name="Selected photos")
    expect(bulk).to_contain_text("3 selected")
    page.keyboard.press("Shift+ArrowLeft")
    expect(bulk).to_contain_text("2 selected")
    page.keyboard.press("Escape")
    expect(bulk).to_be_hidden()
    # Tab skips the other cards, of which there may be thousands, and Shift+Tab returns to the current one.
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.grid')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".card .card-link").nth(1)).to_be_focused()


def test_letter_keys_can_be_switched_off_and_fields_keep_their_letters(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.get_by_role("searchbox").press_sequentially("n")
        expect(page.get_by_role("searchbox")).to_have_value("n")
        page.get_by_role("button", name="Keys and help").click()
        page.get_by_role("checkbox", name=re.compile("Letter keys")).uncheck()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("n")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".card .card-link").nth(1)).to_be_focused()
        assert place(photos, "bread.jpg") == "food/bread.jpg"


def test_a_hostile_name_is_text(kept: str, page: Page) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(f"{kept}/?name=%3Cimg*")
    expect(page.locator(".card .name")).to_have_text(SHOWN)
    assert page.locator("img[src=x]").count() == 0
    page.keyboard.press("j")
    page.keyboard.press("n")
    expect(page.locator(".toast")).to_contain_text("<img src=x")
    page.keyboard.press("u")
    expect(page.locator(".card .tag")).to_have_text("food")
    page.locator(".card-link").click()
    expect_open(page, SHOWN)
    assert page.locator("img[src=x]").count() == 0
    assert dialogs == []


def test_another_sites_page_changes_nothing(photos: Path, page: Page) -> None:
    before = sorted(photos.rglob("*.jpg"))
    with reviewing(photos) as address:
        page.goto(address)
        body = json.dumps({"ids": [6], "label": "non_food"})
        token = page.locator("meta[name=csrf]").get_attribute("content")
        page.context.route(
            "http://other.example/", lambda route: route.fulfill(body="<form method=post>", content_type="text/html")
        )
        page.goto("http://other.example/")
        fetches = """([to, token, body]) => Promise.all([{}, {"X-CSRF-Token": token}].map(headers =>
            fetch(to, {method: "POST", mode: headers["X-CSRF-Token"] ? "cors" : "no-cors", headers, body})
                .then(answer => answer.type, () => "nothing")))"""
        # The first is sent as a form, and its refusal is hidden; before the second comes a preflight, which fails.
        assert page.evaluate(fetches, [f"{address}/label", token, body]) == ["nothing", "nothing"]
        with page.expect_navigation() as answer:
            page.evaluate("to => { document.forms[0].action = to; document.forms[0].submit(); }", f"{address}/delete")
        assert answer.value.status == 403
        page.goto(address)
        expect(page.locator(".card .tag").first).to_have_text("food")
    assert sorted(photos.rglob("*.jpg")) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(kept: str, browser: Browser, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for path in (
        "/",
        "/?show=failed&name=bill.pdf",
        "/?show=food&certainty=0.5",
        "/photo/5",
        "/photo/1",
        "/failed",
        "/teach",
        "/teach/result?ids=5",
        "/model",
        "/overview",
        "/photo/99",
    ):
        page.goto(kept + path)
        if path == "/":
            page.keyboard.press("x")
        if path == "/failed":
            page.keyboard.press("?")
        if path == "/overview":
            page.get_by_text("As a table").click()
        violations = Axe().run(page).response["violations"]
        serious = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in violations
            if violation["impact"] in {"serious", "critical"}
        ]
        assert serious == [], path
    context.close()
