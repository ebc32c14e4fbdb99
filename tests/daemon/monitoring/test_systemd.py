import socket
import time
from pathlib import Path

import pytest

from daemon.monitoring.systemd import Watchdog, notify


def test_a_state_is_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        systemd.settimeout(20)
        assert systemd.recv(64) == b"READY=1"


def test_a_missing_listener_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("STOPPING=1")


def test_the_watchdog_is_fed_only_as_often_as_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        systemd.settimeout(20)
        watchdog = Watchdog()
        for _ in range(100):
            watchdog.feed()
        assert systemd.recv(64) == b"WATCHDOG=1"
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(64)
        later = time.monotonic() + 0.1
        monkeypatch.setattr("time.monotonic", lambda: later)
        watchdog.feed()
        assert systemd.recv(64) == b"WATCHDOG=1"


@pytest.mark.parametrize(("usec", "pid"), [("", None), ("0", None), ("nonsense", None), ("1000000", "1")])
def test_the_watchdog_of_another_process_is_not_fed(
    usec: str, pid: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", usec)
        if pid:
            monkeypatch.setenv("WATCHDOG_PID", pid)
        Watchdog().feed()
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(64)
