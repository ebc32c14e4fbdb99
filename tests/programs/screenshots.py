"""`python -m tests.programs.screenshots`: takes the screenshots of docs/review.md, with the real model and photographs.

Teach and the model page are shown with a copy of the root, whose photos are labelled by their names, and learned from.

The photographs are parts of the samples of scikit-image and scikit-learn. Their times are moved back, as if they had
arrived over two weeks.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from daemon.database.timestamps import format_time
from daemon.demo import samples
from tests.daemon.web.conftest import CHROMIUM, reviewing

NAMES = {
    "coffee": "breakfast",
    "flower": "balcony",
    "chelsea": "cat",
    "china": "temple",
    "rocket": "launch",
    "astronaut": "portrait",
}
PARTS = ((0, 0, 1, 1), (0, 0, 0.75, 0.75), (0.2, 0.1, 1, 0.9), (0.1, 0.25, 0.8, 1), (0.3, 0, 1, 0.7))
"""Left, upper, right, lower edge, in [0, 1]."""
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
TIMEOUT_MS = 180_000
"""The first explanation loads the network, which takes long on a busy machine."""


def main() -> None:
    """Writes docs/review/*.jpg, or to another folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/review"), help="folder for the pictures (%(default)s)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="foodsort-screenshots-") as folder:
        out = out.absolute()
        os.chdir(folder)  # the page shows the root's path
        root = Path("photos")
        fill(root)
        command = [sys.executable, "-m", "daemon"]
        subprocess.run([*command, "run", "--once", "--root", str(root)], check=True, stdout=sys.stderr)
        spread(root / "foodsort.db")
        taught = Path("taught")
        shutil.copytree(root, taught)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            with reviewing(taught, FOODSORT_MODEL__ENGINE="auto") as address:
                teach(browser, address, taught, out)
            with reviewing(root, FOODSORT_MODEL__ENGINE="auto") as address:
                draw(browser, address, out)
            browser.close()


def fill(root: Path) -> None:
    """Puts parts of the samples into the inbox of a new root, and two files that cannot be decoded."""
    inbox = root / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(PARTS, 1):
        for path in samples():
            if path.stem in NAMES:
                photo = Image.open(path).convert("RGB")
                left, upper, right, lower = (edge * side for edge, side in zip(part, photo.size * 2, strict=True))
                photo.crop((left, upper, right, lower)).save(inbox / f"{NAMES[path.stem]} {number}.jpg", quality=92)
    whole = (inbox / "breakfast 1.jpg").read_bytes()
    (inbox / "half a lunch.jpg").write_bytes(whole[: len(whole) // 2])
    (inbox / "bill.pdf").write_bytes(b"%PDF-1.7 a bill")


def spread(database: Path) -> None:
    """Moves the times of the photos back, as if they had arrived over two weeks."""
    times = ("claimed_at", "classified_at", "filed_at", "first_failed_at")
    with closing(sqlite3.connect(database)) as rows, rows:
        photos = rows.execute(f"SELECT id, {', '.join(times)} FROM photos ORDER BY id").fetchall()
        for number, (photo_id, *before) in enumerate(photos, 1):
            ago = timedelta(days=14 * (1 - number / len(photos)) ** 1.5)
            moved = [format_time(datetime.fromisoformat(at) - ago) if at else None for at in before]
            rows.execute(
                f"UPDATE photos SET {', '.join(f'{name} = ?' for name in times)} WHERE id = ?", (*moved, photo_id)
            )


def draw(browser: Browser, address: str, out: Path) -> None:
    """Takes the screenshots, and labels photos in between as a person would."""
    for page in _tab(browser, "light", wide=True):
        for name, key in (("breakfast", "f"), ("cat", "n"), ("temple", "n")):
            page.goto(f"{address}/?name={name}")
            page.keyboard.press("a")
            page.keyboard.press(key)
            page.locator(".toast").wait_for()
        page.goto(f"{address}/?order=certainty")
        page.locator(".card-link").first.focus()
        page.keyboard.press("n")
        page.wait_for_timeout(600)
        _screenshot(page, out / "uncertain.jpg")
        page.goto(address)
        page.locator(".card-link").first.focus()
        for _ in range(3):
            page.keyboard.press("Shift+ArrowRight")
        _screenshot(page, out / "gallery.jpg")
        page.goto(f"{address}/?name=breakfast")
        page.locator(".card-link").first.click()
        page.wait_for_url("**/photo/*")  # and until its script runs
        page.get_by_role("button", name="Why?").click()
        page.locator(".map.shown").wait_for()
        _screenshot(page, out / "why.jpg")
        page.goto(f"{address}/failed")
        _screenshot(page, out / "failed.jpg")
    for page in _tab(browser, "dark", wide=True):
        page.goto(f"{address}/overview")
        _screenshot(page, out / "overview.jpg", whole=True)
    for page in _tab(browser, "dark", wide=False):
        page.goto(address)
        _screenshot(page, out / "phone.jpg")


def teach(browser: Browser, address: str, root: Path, out: Path) -> None:
    """Takes the screenshots of Teach, and of the model page after the labels were learned from."""
    for page in _tab(browser, "dark", wide=False):
        page.goto(f"{address}/teach")
        _screenshot(page, out / "teach-phone.jpg")
    for page in _tab(browser, "light", wide=True):
        page.goto(f"{address}/teach")
        page.wait_for_load_state()
        for key in _answers(page, root)[:6]:
            page.keyboard.press(key)
        _screenshot(page, out / "teach.jpg")
        for key in _answers(page, root)[6:]:
            page.keyboard.press(key)
        page.wait_for_url("**/teach/result?*")
        _screenshot(page, out / "taught.jpg")
        page.get_by_role("link", name="Twenty more").click()
        page.wait_for_url("**/teach")
        page.wait_for_load_state()
        for key in _answers(page, root):
            page.keyboard.press(key)
        page.wait_for_url("**/teach/result?*")
        page.goto(f"{address}/model")
        page.get_by_role("button", name="Learn now").click()
        page.locator("#job[data-running='0'] #job-text", has_text="Learned from").wait_for()
        _screenshot(page, out / "model.jpg", whole=True)


def _answers(page: Page, root: Path) -> list[str]:
    """The keys for the photos of a set, by their names: the breakfasts are food."""
    ids = [item.get_attribute("data-id") for item in page.locator("#questions li").all()]
    with closing(sqlite3.connect(root / "foodsort.db")) as rows:
        names = dict(rows.execute("SELECT id, name FROM photos"))
    return ["f" if names[int(number or 0)].startswith("breakfast") else "n" for number in ids]


def _tab(browser: Browser, scheme: str, *, wide: bool) -> Iterator[Page]:
    context = browser.new_context(
        viewport=WIDE if wide else PHONE,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=1 if wide else 2,
        has_touch=not wide,
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


def _screenshot(page: Page, path: Path, *, whole: bool = False) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)  # animations have ended
    page.screenshot(path=path, type="jpeg", quality=82, full_page=whole)


if __name__ == "__main__":
    os.environ.setdefault("FOODSORT_WATCH__SETTLE_S", "0.2")
    main()
