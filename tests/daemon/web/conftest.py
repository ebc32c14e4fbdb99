import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.daemon.conftest import FAST

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def reviewing(root: Path, *words: str, **settings: str) -> Iterator[str]:
    """`foodsort review` in a process of its own, at a free port; yields its address. Ctrl-C has to end it cleanly."""
    command = [sys.executable, "-m", "daemon", "review", "--root", str(root), "--port", "0", *words]
    environment = os.environ | FAST | settings
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        found = re.search(r"http://\S+(?=/ )", said)
        assert found, said + server.communicate(timeout=10)[1]
        yield found[0]
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=20)
        assert (server.returncode, err) == (0, "")
    finally:
        server.kill()
        server.communicate()


def sort(root: Path, photos: dict[str, bytes]) -> Path:
    """A root in which photos, by their places in the inbox, have been sorted; their rows are numbered in this order."""
    for name, data in photos.items():
        path = root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    command = [sys.executable, "-m", "daemon", "run", "--once", "--root", str(root)]
    subprocess.run(command, env=os.environ | FAST, check=True, capture_output=True)
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
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab with nothing in it; nothing that its scripts do may fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert errors == []
