import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from daemon.cli import app
from daemon.database import addresses
from daemon.monitoring.status_file import read
from tests.daemon.processes import COMMAND, start_command
from tests.programs.postgres import cluster, made

__all__ = ["cluster"]

FAST = {
    "FOODSORT_MODEL__ENGINE": "scripted",
    "FOODSORT_WATCH__SETTLE_S": "0.2",
    "FOODSORT_WATCH__EMPTY_S": "0.4",
    "FOODSORT_WATCH__TRUNCATED_S": "0.6",
    "FOODSORT_WATCH__RESCAN_S": "1",
    "FOODSORT_IMAGES__DECODERS": "1",  # two processes fewer at each start of a daemon
}

Photo = Callable[..., bytes]
Foodsort = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photo() -> Photo:
    """Bytes of a JPEG that the scripted engine calls food (red) or non_food (blue); `shade` makes each one its own."""

    def make(label: str = "food", shade: int = 0, size: int = 64) -> bytes:
        red, blue = (200, 40) if label == "food" else (40, 200)
        file = io.BytesIO()
        Image.new("RGB", (size, size), (red, shade, blue)).save(file, "JPEG", quality=95)
        return file.getvalue()

    return make


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty root, with settings for short waits and the scripted engine."""
    for name, value in FAST.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "root/inbox").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.URL]:
    """The address of a database of each kind, before its creation."""
    if request.param == "sqlite":
        yield addresses.database_url(tmp_path, "")
        return
    with made(request.getfixturevalue("cluster")) as address:
        yield address


@pytest.fixture
def each_database(address: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records results in a database of each kind."""
    if address.get_backend_name() != "sqlite":
        monkeypatch.setenv("FOODSORT_DATABASE__URL", address.render_as_string(hide_password=False))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another filesystem."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        if os.stat(folder).st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is on the same filesystem as the temporary folder")
        yield Path(folder)


@pytest.fixture
def foodsort(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Foodsort:
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["foodsort", *map(str, words)])
        capfd.readouterr()
        code: object = 0
        try:
            app()
        except SystemExit as end:
            code = end.code or 0
        out, err = capfd.readouterr()
        assert isinstance(code, int)
        return code, out, err

    return run


@contextmanager
def started(root: Path, *under: str, log: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A daemon in its own process; at the end SIGTERM has to stop it cleanly. `under` is a prefix of its command."""
    words = ["run", "--root", str(root)]
    with (log or root / "daemon.log").open("w") as lines:
        if under:
            daemon = subprocess.Popen([*under, *COMMAND, *words], stdout=lines, stderr=lines, text=True)
        else:
            daemon = start_command(*words, output=lines)
    try:
        yield daemon
        if daemon.poll() is None:
            daemon.terminate()
            assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        daemon.wait()


@contextmanager
def running(root: Path, *under: str) -> Iterator["subprocess.Popen[str]"]:
    """A daemon in its own process that is watching."""
    with started(root, *under) as daemon:
        until(lambda: status(root)["state"] in {"watching", "polling"}, daemon)
        yield daemon


def status(root: Path) -> dict[str, Any]:
    """The status of a root, as `foodsort status --format json` prints it."""
    return dict(read(root, root / "inbox"))


@contextmanager
def mounted(point: Path, *options: str) -> Iterator[Path]:
    """Mounts a small filesystem in memory at a new folder; skips the test without root."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("mode=755", *options)), "tmpfs", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def fill(folder: Path) -> Path:
    """A file that fills a filesystem."""
    path = folder / ".filling"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def until(done: Callable[[], bool], daemon: "subprocess.Popen[str] | None" = None, patience_s: float = 60) -> None:
    """Waits for a condition; fails after the timeout, or if the daemon ends first."""
    end = time.monotonic() + patience_s
    while not done():
        assert daemon is None or daemon.poll() is None, "the daemon ended"
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)


def tree(root: Path) -> dict[str, bytes]:
    """Path and bytes of each file below a root, except the database, the log, the status and the locks."""
    ours = ("foodsort.db", "foodsort.id", "daemon.log", "foodsort.status.json")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(ours) and path.name not in {"lock", "back.lock"}
    }


def waits_for(root: Path, what: str) -> bool:
    """Whether the daemon waits for a failure with this text to pass."""
    return what in ((status(root)["waiting_for"] or {}).get("what") or "")
