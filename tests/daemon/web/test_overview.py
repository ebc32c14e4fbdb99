"""The overview: its counts, in a real browser, and the days of its columns."""

import csv
import os
import shlex
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from daemon.database.schema import photos as photos_table
from daemon.database.timestamps import format_time
from daemon.web.overview import Period, bins, spans_until
from daemon.web.stats import Counts, Statistics
from models.bundle import Bundle
from tests.daemon.conftest import running
from tests.daemon.web.conftest import expect_open, reviewing, sort
from tests.daemon.web.pictures import picture

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(root: Path) -> Path:
    """A root: three photos of food, one of them unsure, one of no food, and a file that is not an image."""
    return sort(
        root,
        {
            "bill.pdf": b"%PDF",
            "sea.jpg": picture("non_food", 1),
            "soup.jpg": picture("food", 2),
            "maybe.jpg": picture("unsure", 120),
            "bread.jpg": picture("food", 3),
        },
    )


def total(page: Page, name: str) -> str:
    return page.locator(".totals div", has=page.get_by_text(name, exact=True)).locator("dd").inner_text()


def test_a_correction_reaches_the_exported_data_set(photos: Path, page: Page, tmp_path: Path) -> None:
    with reviewing(photos) as address:
        page.goto(address)
        page.get_by_role("combobox", name="Order").select_option(label="Least certain first")
        expect(page.locator(".card").first).to_contain_text("maybe.jpg")
        page.locator(".card-link").first.click()
        expect_open(page, "maybe.jpg")
        page.get_by_role("button", name="Not food").click()
        expect(page.locator(".toast")).to_contain_text("maybe.jpg is not food now")
        assert (photos / "non_food/maybe.jpg").exists()
        page.get_by_role("link", name="Overview").click()
        assert total(page, "Labelled by people") == "1"
        command = page.locator("#export").inner_text()
    words = shlex.split(command)
    assert words[:2] == ["foodsort", "export"]
    done = [sys.executable, "-m", "daemon", *words[1:]]
    subprocess.run(done, cwd=tmp_path, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": os.getcwd()})
    with (tmp_path / "labelled/manifest.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == "non_food"
    exported = tmp_path / "labelled" / row["path"]
    assert exported.name.startswith("0_")
    assert exported.read_bytes() == (photos / "non_food/maybe.jpg").read_bytes()


def test_the_overview_counts_everything(photos: Path, page: Page) -> None:
    with reviewing(photos) as address:
        page.goto(f"{address}/?show=food")
        page.locator(".card-link").first.focus()
        page.keyboard.press("n")
        expect(page.locator(".toast")).to_contain_text("bread.jpg is not food now")
        page.get_by_role("link", name="Overview").click()
        assert [total(page, name) for name in ("Photos", "Food", "Not food", "Failed")] == ["5", "2", "2", "1"]
        page.get_by_text("As a table").first.click()
        today = page.get_by_role("row", name=f"{datetime.now().astimezone():%-d %B %Y}")
        assert today.get_by_role("cell").all_inner_texts() == ["2", "2", "0", "1"]
        assert page.get_by_role("row").filter(has=page.get_by_text("90–100 %")).get_by_role("cell").nth(1).inner_text()
        accuracy = page.get_by_role("row", name="Accuracy")
        expect(accuracy).to_contain_text("0.0 %")
        expect(accuracy).to_contain_text("0.0 to 79.3 %")
        expect(page.get_by_role("region", name="Drift")).to_contain_text("Drift needs 200 photos")
        throughput = page.get_by_role("region", name="Throughput")
        expect(throughput).to_contain_text("5 photos in the last 24 hours, 5 in the busiest hour.")
        expect(throughput).to_contain_text("not running")
        expect(page.get_by_role("region", name="Disk")).to_contain_text("like the newest")
        page.get_by_role("link", name="Year").click()
        expect(page.get_by_role("heading", name="Photos a week")).to_be_visible()
        page.get_by_text("As a table").first.click()
        page.get_by_role("rowheader").nth(0).get_by_role("link").click()
        expect(page.locator(".card")).to_have_count(4)


def test_a_running_daemon_shows_its_status(photos: Path) -> None:
    with reviewing(photos) as address, running(photos):
        for _ in range(100):
            text = httpx.get(f"{address}/overview").text
            if "watching, process" in text:
                break
            time.sleep(0.1)
        assert "watching, process" in text


def test_an_empty_root_has_an_overview(root: Path) -> None:
    sort(root, {})
    with reviewing(root) as address:
        answer = httpx.get(f"{address}/overview")
        assert answer.status_code == 200
        assert "No photo has been classified yet" in answer.text
        assert "Nobody has labelled a photo yet" in answer.text
        wrong = httpx.get(f"{address}/overview?period=century")
        assert (wrong.status_code, "There is no such period" in wrong.text) == (400, True)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_days_are_in_the_time_zone_of_this_machine(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    request.addfinalizer(time.tzset)
    request.addfinalizer(monkeypatch.undo)
    p = photos_table
    with engine.begin() as connection:
        connection.execute(p.update().values(classified_at=None, filed_at="2020-01-01", predicted_label=None))
        for photo, hour, minute in ((1, 0, 0), (2, 23, 59)):
            at = format_time(datetime(2026, 11, 23, hour, minute).astimezone())
            connection.execute(p.update().where(p.c.id == photo).values(classified_at=at, predicted_label="food"))
    before, *shown, after = spans_until(Statistics(engine), date(2026, 11, 24), Period(columns=3, days=1))
    assert [(span.first, span.last) for span in shown] == [
        (day, day) for day in (date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24))
    ]
    assert [span.counts.food for span in shown] == [0, 2, 0]
    assert before.counts == Counts(failed=19)
    assert after.counts == Counts()
    *_, week, _ = spans_until(Statistics(engine), date(2026, 11, 24), Period(columns=2, days=7))
    assert (week.first, week.last, week.counts.food) == (date(2026, 11, 18), date(2026, 11, 24), 2)


def test_bins_have_observed_and_expected_shares() -> None:
    card = Bundle.load().card
    binned = bins([0.0, 0.05, 0.1, 1.0], card)
    assert [bin_.photos for bin_ in binned] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [bin_.share for bin_ in binned][:2] == [0.5, 0.25]
    assert [bin_.kind for bin_ in binned] == ["non_food"] * 5 + ["food"] * 5
    assert sum(bin_.expected or 0 for bin_ in binned) == pytest.approx(1)
    assert {bin_.expected for bin_ in bins([0.5], card.model_copy(update={"reference": None}))} == {None}
