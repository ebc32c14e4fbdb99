"""Feeding of systemd's watchdog: by a healthy daemon, one that waits for a retry, and one with a stuck stage."""

import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.database import addresses, connections
from tests.daemon.conftest import Photo, running, started, status, until
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow

IMPATIENT = (sys.executable, "-m", "tests.programs.impatient")
STILL_S = 3.0  # many times the interval of a healthy daemon


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a systemd whose watchdog has to be fed every second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path := str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        yield listening


def count_feeds(systemd: socket.socket, for_s: float) -> int:
    """Counts how often the watchdog is fed in the next `for_s` seconds."""
    end = time.monotonic() + for_s
    times = 0
    while (remaining_s := end - time.monotonic()) > 0:
        systemd.settimeout(remaining_s)
        try:
            times += systemd.recv(4096) == b"WATCHDOG=1"
        except TimeoutError:
            break
    return times


def drain(systemd: socket.socket) -> None:
    systemd.setblocking(False)
    try:
        while True:
            systemd.recv(4096)
    except BlockingIOError:
        return


def test_an_idle_daemon_feeds_the_watchdog(root: Path, systemd: socket.socket) -> None:
    with running(root, *IMPATIENT):
        drain(systemd)
        assert count_feeds(systemd, STILL_S) > 1


def test_a_stuck_stage_stops_feeding_the_watchdog(
    root: Path, photo: Photo, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FAULT", "recorded:1:hang")
    with started(root, *IMPATIENT) as daemon:
        until(lambda: status(root)["state"] == "watching", daemon)
        (root / "inbox/a.jpg").write_bytes(photo())
        until(lambda: bool(rows(root)), daemon)
        count_feeds(systemd, 2.0)  # until the limit of the stage has passed
        drain(systemd)
        assert count_feeds(systemd, STILL_S) == 0
        daemon.kill()
        daemon.wait()


def test_a_stage_that_waits_for_a_retry_feeds_the_watchdog(
    root: Path, photo: Photo, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{root}/foodsort.db?timeout=0.1")
    connections.connect(addresses.database_url(root, "")).dispose()
    with running(root, *IMPATIENT) as daemon, closing(sqlite3.connect(root / "foodsort.db")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        (root / "inbox/a.jpg").write_bytes(photo())
        until(lambda: status(root)["waiting_for"] is not None, daemon)
        count_feeds(systemd, 2.0)
        drain(systemd)
        assert count_feeds(systemd, STILL_S) > 1
        holder.rollback()
        until((root / "food/a.jpg").exists, daemon)
