"""Missing events: limits of the system, filesystems without events, an overflow of the queue."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo, running, status, until
from tests.daemon.photos import sort_photo
from tests.daemon.processes import LIMIT, limit_command
from tests.daemon.rows import event_messages

pytestmark = pytest.mark.slow


@pytest.fixture
def rare_scans(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose scans are rare, so that files are found through events or by polling."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    monkeypatch.setenv("FOODSORT_WATCH__POLL_S", "0.3")
    return root


def test_the_inbox_is_not_polled_when_events_arrive(rare_scans: Path, photo: Photo) -> None:
    with running(rare_scans) as daemon:
        assert status(rare_scans)["events"] == {"kind": "inotify", "why": None}
        sort_photo(rare_scans, photo(), "a.jpg", daemon)
        assert event_messages(rare_scans, "polling") == []
    assert set(os.listdir(rare_scans / "inbox/.foodsort")) == {"lock", "back.lock"}


def test_events_of_a_linked_inbox_arrive(rare_scans: Path, photo: Photo) -> None:
    (rare_scans / "inbox").rename(rare_scans / "real")
    (rare_scans / "inbox").symlink_to("real")
    with running(rare_scans) as daemon:
        assert status(rare_scans)["events"] == {"kind": "inotify", "why": None}
        sort_photo(rare_scans, photo(), "a.jpg", daemon)
    assert event_messages(rare_scans, "polling") == []


@pytest.mark.parametrize(
    ("name", "sysctl"),
    [("max_inotify_watches", "max_user_watches"), ("max_inotify_instances", "max_user_instances")],
)
def test_without_any_watch_the_daemon_polls_and_reports_it_once(
    rare_scans: Path, photo: Photo, name: str, sysctl: str
) -> None:
    with running(rare_scans, *limit_command(name, 0)) as daemon:
        for number in range(3):
            sort_photo(rare_scans, photo(shade=number), f"{number}.jpg", daemon)
        until(lambda: status(rare_scans)["state"] == "polling", daemon)
        assert sysctl in status(rare_scans)["events"]["why"]
        (message,) = event_messages(rare_scans, "polling")
    assert sysctl in message
    lines = [line for line in (rare_scans / "daemon.log").read_text().splitlines() if sysctl in line]
    assert len([line for line in lines if "kind=drags" not in line]) == 1  # the folders of sorted photos have their own
    assert len(lines) <= 2


def test_a_limit_reached_later_causes_polling_until_it_is_raised(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__POLL_S", "0.3")
    with running(root, *limit_command("max_inotify_watches", 12)) as daemon:
        assert status(root)["events"]["kind"] == "inotify"
        for number in range(20):
            (root / f"inbox/{number}").mkdir()
        until(lambda: status(root)["state"] == "polling", daemon)
        sort_photo(root, photo(), "19/a.jpg", daemon)
        raise_limit = ["nsenter", f"--target={daemon.pid}", "--user", "sh", "-c", LIMIT, "max_inotify_watches", "1000"]
        subprocess.run([*raise_limit, "true"], check=True)
        until(lambda: status(root)["state"] == "watching", daemon)
    assert len(event_messages(root, "polling")) == 1
    assert len(event_messages(root, "watching")) == 1


def test_a_filesystem_without_events_is_detected_at_startup(rare_scans: Path, photo: Photo) -> None:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("this test needs libseccomp")
    with running(rare_scans, sys.executable, str(Path(__file__).parents[2] / "programs/no_events.py")) as daemon:
        assert "no event arrived" in status(rare_scans)["events"]["why"]
        sort_photo(rare_scans, photo(), "a.jpg", daemon)
    assert len(event_messages(rare_scans, "polling")) == 1


def test_a_scan_finds_the_files_of_events_lost_in_an_overflow(rare_scans: Path, photo: Photo) -> None:
    queue_size = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue_size > 100_000:
        pytest.skip("the queue is longer than a test should fill")
    open_file = (rare_scans / "inbox/open.jpg").open("wb")
    with running(rare_scans) as daemon, open_file:
        open_file.write(photo(shade=1)[:500])
        open_file.flush()
        until(lambda: status(rare_scans)["queue"]["inbox"] == 1, daemon)
        daemon.send_signal(signal.SIGSTOP)
        until(lambda: "State:\tT" in Path(f"/proc/{daemon.pid}/status").read_text(), daemon)
        noise = [rare_scans / "inbox/.one", rare_scans / "inbox/.two"]
        for path in noise:
            path.touch()
        for path in itertools.islice(itertools.cycle(noise), queue_size + 100):
            os.utime(path)
        open_file.write(photo(shade=1)[500:])
        open_file.close()
        (rare_scans / "inbox/trip").mkdir()
        (rare_scans / "inbox/trip/lost.jpg").write_bytes(photo(shade=2))
        daemon.send_signal(signal.SIGCONT)
        until(lambda: {"open.jpg", "trip"} <= set(os.listdir(rare_scans / "food")), daemon)
        until((rare_scans / "food/trip/lost.jpg").exists, daemon)
        sort_photo(rare_scans, photo(shade=3), "trip/after.jpg", daemon)
    assert event_messages(rare_scans, "overflow") != []
