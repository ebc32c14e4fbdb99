import os
import re
import shutil
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect, sync_playwright

from daemon.database import connections, schema
from daemon.database.timestamps import format_time
from daemon.photo import FILED
from tests.daemon.conftest import FAST, until
from tests.daemon.processes import run_command, start_command

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOST = socket.gethostname().lower()
"""A name of this machine that browsers, unlike 127.0.0.1, do not regard as secure; it resolves to the loopback."""
PATIENCE_MS = 20_000
"""How long a test waits for the browser on a busy machine."""
expect.set_options(timeout=PATIENCE_MS)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def reviewing(root: Path, *options: str, **settings: str) -> Iterator[str]:
    """Runs `foodsort review` in its own process on a free port; yields its address. Ctrl-C has to end it cleanly."""
    words = ["review", "--root", str(root), "--port", "0", *options]
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        output, errors = Path(out.name), Path(err.name)
        server = start_command(*words, output=out, errors=err, environment=os.environ | FAST | settings)
        try:
            until(lambda: "\n" in output.read_text() or server.poll() is not None)
            address = re.search(r"http://\S+(?=/ )", output.read_text())
            assert address, output.read_text() + errors.read_text()
            yield address[0]
            server.send_signal(signal.SIGINT)
            assert (server.wait(20), errors.read_text()) == (0, "")
        finally:
            server.kill()
            server.wait()


def sort(root: Path, photos: dict[str, bytes]) -> Path:
    """A root with sorted photos, given by their paths in the inbox; their rows are numbered in this order."""
    for name, data in photos.items():
        path = root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = run_command("run", "--once", "--root", root, environment=os.environ | FAST)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(root / "foodsort.db")) as database, database:
        database.execute("UPDATE photos SET id = -id")
        for number, name in enumerate(photos, 1):
            place = os.fsencode(name)
            database.execute("UPDATE photos SET id = ? WHERE inbox_path_bytes = ?", (number, place))
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for all tests of a module."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian's package chromium)")
    with sync_playwright() as play:
        host_rule = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", host_rule])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty tab; none of its scripts may raise an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert errors == []


def row(number: int, **other: Any) -> dict[str, Any]:
    """A photo's row: every third is not food; certainty from 50 to 99 %; classified a minute after the one before."""
    name = f"{'soup' if number % 2 else 'Sea'}_{number:03}.jpg"
    at = format_time(NOON + timedelta(minutes=number))
    certainty = 0.5 + (number * 37 % 50) / 100
    label = "non_food" if number % 3 == 0 else "food"
    values = {
        "id": number,
        "name": name,
        "path": name,
        "path_bytes": name.encode(),
        "inbox_path": name,
        "inbox_path_bytes": name.encode(),
        "generation": "1-1",
        "identity": f"1:{number}",
        "sha256": f"{number:064x}",
        "size_bytes": 1,
        "modified_at": at,
        "probability": certainty if label == "food" else 1 - certainty,
        "predicted_label": label,
        "state": FILED,
        "batch_id": 1,
        "model_id": 1,
        "claimed_at": at,
        "classified_at": at,
        "filed_at": at,
    }
    return values | other


FAILED = {
    "state": "failed",
    "probability": None,
    "predicted_label": None,
    "classified_at": None,
    "error_kind": "truncated",
    "error_message": "it ends too early",
}


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database of 200 photos; every tenth failed but for 150, which a person labelled food, unlike the model."""
    engine = connections.connect(address)
    with engine.begin() as connection:
        model = {"sha256": "0" * 64, "name": "m", "card": "{}", "first_used_at": format_time(NOON)}
        connection.execute(schema.models.insert().values(id=1, **model))
        batch = {"started_at": format_time(NOON), "photos": 200, "engine": "scripted", "inference_ms": 1.0}
        connection.execute(schema.batches.insert().values(id=1, **batch))
        for number in range(1, 201):
            failed = FAILED if number % 10 == 0 and number != 150 else {}
            connection.execute(schema.photos.insert().values(row(number, **failed)))
        connection.execute(schema.reviews.insert().values(photo_id=150, label="food", reviewed_at=format_time(NOON)))
    yield engine
    engine.dispose()


def expect_open(page: Page, name: str) -> None:
    """Waits until a photo is open and its keys work."""
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.wait_for_load_state()
