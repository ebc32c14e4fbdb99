"""Events that do not come: what the system's limits and a deaf filesystem do to the daemon."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.cli.test_run import select
from tests.daemon.conftest import Photo, running, status, until

LIMIT = 'echo $1 > /proc/sys/user/$0 && shift && exec "$@"'


@pytest.fixture
def rare(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose rescans are rare, so that what is found is found through events or by polling."""
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    monkeypatch.setenv("FOODSORT_WATCH__POLL_S", "0.3")
    return root


def limited(name: str, limit: int) -> list[str]:
    """Words that run a program with a limit of its own, in a user namespace; skips where there is none to be had."""
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", LIMIT, name, str(limit)]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not to be had here")
    return words


def told(root: Path, kind: str) -> list[str]:
    return [row["message"] for row in select(root, f"SELECT message FROM events WHERE kind = '{kind}'")]


def sorts(root: Path, photo: bytes, path: str, daemon: "subprocess.Popen[str]") -> None:
    (root / "inbox" / path).write_bytes(photo)
    until((root / "food" / path).exists, daemon)


def test_where_events_come_nothing_is_polled(rare: Path, photo: Photo) -> None:
    with running(rare) as daemon:
        assert status(rare)["events"] == {"kind": "inotify", "why": None}
        sorts(rare, photo(), "a.jpg", daemon)
        assert told(rare, "polling") == []
    assert set(os.listdir(rare / "inbox/.foodsort")) == {"lock", "back.lock"}


@pytest.mark.parametrize(
    ("name", "sysctl"),
    [("max_inotify_watches", "max_user_watches"), ("max_inotify_instances", "max_user_instances")],
)
def test_without_any_watch_it_polls_and_says_so_once(rare: Path, photo: Photo, name: str, sysctl: str) -> None:
    with running(rare, *limited(name, 0)) as daemon:
        for number in range(3):
            sorts(rare, photo(shade=number), f"{number}.jpg", daemon)
        until(lambda: status(rare)["state"] == "polling", daemon)
        assert sysctl in status(rare)["events"]["why"]
        (message,) = told(rare, "polling")
    assert sysctl in message
    assert (rare / "daemon.log").read_text().count(sysctl) == 1


def test_a_limit_reached_later_on_is_polled_around_until_it_is_raised(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__POLL_S", "0.3")
    with running(root, *limited("max_inotify_watches", 12)) as daemon:
        assert status(root)["events"]["kind"] == "inotify"
        for number in range(20):
            (root / f"inbox/{number}").mkdir()
        until(lambda: status(root)["state"] == "polling", daemon)
        sorts(root, photo(), "19/a.jpg", daemon)
        raise_it = ["nsenter", f"--target={daemon.pid}", "--user", "sh", "-c", LIMIT, "max_inotify_watches", "1000"]
        subprocess.run([*raise_it, "true"], check=True)
        until(lambda: status(root)["state"] == "watching", daemon)
    assert len(told(root, "polling")) == 1
    assert len(told(root, "watching")) == 1


def test_a_filesystem_without_events_is_noticed_at_the_start(rare: Path, photo: Photo) -> None:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("this needs libseccomp")
    with running(rare, sys.executable, str(Path(__file__).parents[2] / "programs/no_events.py")) as daemon:
        assert "no event came" in status(rare)["events"]["why"]
        sorts(rare, photo(), "a.jpg", daemon)
    assert len(told(rare, "polling")) == 1


def test_events_that_the_queue_has_no_room_for_are_made_up_by_a_look(rare: Path, photo: Photo) -> None:
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if room > 100_000:
        pytest.skip("the queue is longer than a test should fill")
    open_before = (rare / "inbox/open.jpg").open("wb")
    with running(rare) as daemon, open_before:
        open_before.write(photo(shade=1)[:500])
        open_before.flush()
        until(lambda: status(rare)["queue"]["inbox"] == 1, daemon)
        daemon.send_signal(signal.SIGSTOP)
        os.waitpid(daemon.pid, os.WUNTRACED)
        noise = [rare / "inbox/.one", rare / "inbox/.two"]
        for path in noise:
            path.touch()
        for path in itertools.islice(itertools.cycle(noise), room + 100):
            os.utime(path)
        open_before.write(photo(shade=1)[500:])
        open_before.close()
        (rare / "inbox/trip").mkdir()
        (rare / "inbox/trip/lost.jpg").write_bytes(photo(shade=2))
        daemon.send_signal(signal.SIGCONT)
        until(lambda: {"open.jpg", "trip"} <= set(os.listdir(rare / "food")), daemon)
        until((rare / "food/trip/lost.jpg").exists, daemon)
        sorts(rare, photo(shade=3), "trip/after.jpg", daemon)
    assert told(rare, "overflow") != []
