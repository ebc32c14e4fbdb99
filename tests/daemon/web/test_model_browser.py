"""The model page in a real browser: put live, taken back, and a job that runs."""

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from daemon.database import addresses, connections
from daemon.learning import promotion
from daemon.learning.jobs import Jobs
from daemon.registry import learned
from daemon.settings import FolderSettings, load
from models.judgement import JudgedPhoto
from tests.daemon.conftest import FAST
from tests.daemon.learned_models import add_model
from tests.daemon.processes import run_command
from tests.daemon.rows import execute, rows
from tests.daemon.web.conftest import reviewing, sort
from tests.daemon.web.pictures import picture
from tests.programs.screenshots import fill

SERIOUS = {"serious", "critical"}


@pytest.fixture
def photos(root: Path) -> Path:
    """A root with twenty photos of food, four of them of the audit sample."""
    sort(root, {f"{number:02}.jpg": picture(shade=4 * number) for number in range(1, 21)})
    for number in range(1, 21):
        digit = "0" if number % 5 == 0 else "3"
        execute(root, f"UPDATE photos SET sha256 = '{digit}{number:063x}' WHERE id = {number}")
    return root


def live(root: Path) -> list[str]:
    return [model.name for model in learned.learned_models(root, "") if model.live]


def test_from_the_first_label_to_the_model_that_is_taken_back(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/teach")
        for number in range(20):
            page.keyboard.press("n" if number % 4 == 0 else "f")
        page.get_by_role("link", name="To the model").click()
        expect(page.get_by_role("region", name="Live model")).to_contain_text("16 photos to learn from")
        expect(page.get_by_role("region", name="Live model")).to_contain_text("4 audited photos")
        candidate = page.get_by_role("region", name="Candidate", exact=True)
        expect(candidate).to_contain_text("There is none.")
        model = add_model(photos, 0.5)
        page.reload()
        expect(candidate).to_contain_text("Better than the live model")
        candidate.get_by_role("button", name="Put live").click()
        expect(page.locator(".toast")).to_have_text(f"{model.model_name} is live.")
        expect(page.get_by_role("region", name="Live model")).to_contain_text(model.model_name)
        assert live(photos) == [model.model_name]
        page.get_by_role("button", name="Take back…").click()
        dialog = page.get_by_role("dialog", name="Take the live model back?")
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        assert live(photos) == [model.model_name]
        page.get_by_role("button", name="Take back…").click()
        dialog.get_by_role("button", name="Take back").click()
        expect(page.get_by_role("region", name="History")).to_contain_text("Taken back")
        assert live(photos) == []


def test_a_worse_model_needs_a_confirmation(photos: Path, page: Page) -> None:
    model = add_model(photos, 0.5, "worse")
    with reviewing(photos) as address:
        page.goto(f"{address}/model")
        page.get_by_role("button", name="Put live anyway…").click()
        dialog = page.get_by_role("dialog", name="Put live anyway?")
        dialog.get_by_role("button", name="Cancel").click()
        assert live(photos) == []
        page.get_by_role("button", name="Put live anyway…").click()
        dialog.get_by_role("button", name="Put live").click()
        expect(page.get_by_role("region", name="History")).to_contain_text("against its verdict")
        assert live(photos) == [model.model_name]


def test_a_running_job_is_followed_to_its_end(photos: Path, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    end = photos / "end"
    command = f"import os, sys, time\nwhile not os.path.exists({str(end)!r}): time.sleep(0.02)\nsys.exit('no room')"
    monkeypatch.setattr("daemon.learning.jobs._command", lambda *_: ("python3", "-c", command))
    execute(photos, "INSERT INTO reviews (photo_id, label, reviewed_at) VALUES (1, 'food', '2026-11-30')")
    with reviewing(photos) as address:
        Jobs(photos, FolderSettings()).start("learn")
        try:
            page.goto(f"{address}/model")
            expect(page.locator("#job-text")).to_have_text(re.compile("^Learning from your labels, for"))
            expect(page.get_by_role("button", name="Learn now")).to_be_disabled()
            expect(page.get_by_role("progressbar")).to_be_visible()
        finally:
            end.touch()
        expect(page.locator("#job-text")).to_have_text("Learning from your labels failed: no room")
        expect(page.get_by_role("button", name="Learn now")).to_be_enabled()


def test_an_error_is_shown_and_the_buttons_stay(photos: Path, page: Page) -> None:
    execute(photos, "INSERT INTO reviews (photo_id, label, reviewed_at) VALUES (1, 'food', '2026-11-30')")
    (photos / "models").mkdir(exist_ok=True)
    (photos / "models/jobs").write_bytes(b"")
    with reviewing(photos) as address:
        page.goto(f"{address}/model")
        page.get_by_role("button", name="Learn now").click()
        expect(page.get_by_role("alert")).to_contain_text("models/jobs cannot be used")
        expect(page.get_by_role("button", name="Learn now")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(
    photos: Path, browser: Browser, scheme: Literal["light", "dark"], width: int
) -> None:
    changed = tuple(
        JudgedPhoto(sha256=f"3{number:063x}", label=label, set="held_out", live=0.9, candidate=0.1)
        for number, label in ((1, "food"), (2, "non_food"))
    )
    first = add_model(photos, 0.5, age_s=60)
    settings = load(photos)
    engine = connections.connect_to_write(addresses.database_url(photos, settings.database.url))
    promotion.promote(photos, settings, engine, first.sha256, by="anna")
    engine.dispose()
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})
    page = context.new_page()
    with reviewing(photos) as address:
        for bias, verdict in ((1.0, "better"), (2.0, "worse")):
            add_model(photos, bias, verdict, photos=changed)  # type: ignore[arg-type]
            page.goto(f"{address}/model")
            expect(page.get_by_text("now wrong")).to_be_visible()
            violations = Axe().run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in violations if one["impact"] in SERIOUS] == []
            assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


@pytest.mark.timeout(900)
def test_labels_are_learned_from_and_the_model_is_put_live_and_taken_back(root: Path, page: Page) -> None:
    fill(root)
    assert run_command("run", "--once", "--root", root, environment=os.environ | FAST).returncode == 0
    names = {str(row["id"]): row["name"] for row in rows(root)}
    before = {row["id"]: row["path"] for row in rows(root)}
    with reviewing(root) as address:
        for _ in range(2):
            page.goto(f"{address}/teach")
            page.wait_for_load_state()
            for question in page.locator("#questions li").all():
                name = names[question.get_attribute("data-id") or ""]
                page.keyboard.press("f" if name.startswith("breakfast") else "n")
            expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("photos labelled"))
        page.get_by_role("link", name="To the model").click()
        page.get_by_role("button", name="Learn now").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.locator("#job-text")).to_have_text(re.compile("^Learned from"), timeout=200_000)
        candidate = page.get_by_role("region", name="Candidate", exact=True)
        expect(candidate.get_by_role("row", name=re.compile("^Guard"))).to_contain_text("→")
        candidate.get_by_role("button", name=re.compile("Put live")).click()
        page.get_by_role("dialog").get_by_role("button", name="Put live").click()  # the labels are too few
        expect(page.get_by_role("region", name="History")).to_contain_text("was put live")
        page.get_by_role("button", name="Re-sort photos…").click()
        expect(page.get_by_text("No photo would get another label.")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Take back…").click()
        page.get_by_role("dialog").get_by_role("button", name="Take back").click()
        expect(page.get_by_role("region", name="History")).to_contain_text("Taken back")
        assert live(root) == []
    labelled = {row["id"] for row in rows(root) if row["corrected_label"]}
    assert len(labelled) == 30
    moved = [row for row in rows(root) if row["path"] != before[row["id"]]]
    assert all(row["path"].startswith(f"{row['corrected_label']}/") for row in moved)
