import json
import os
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.monitoring.status_document import EMPTY, ErrorStatus, StatusDocument
from daemon.monitoring.status_file import FILE, SIZE_BYTES, StatusFile, read
from daemon.monitoring.status_text import lines
from tests.daemon.conftest import Foodsort, Photo, fill, mounted, running, status, until
from tests.daemon.photos import sort_photo

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_a_run_is_reported_from_start_to_stop(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    code, out, err = foodsort("status", "--root", root, "--format", "json")
    assert (code, json.loads(out)) == (1, EMPTY)
    assert "foodsort run" in err
    (root / "inbox/bill.pdf").write_bytes(b"%PDF")
    (root / "inbox/link.jpg").symlink_to("nowhere")
    with (root / "inbox/open.jpg").open("wb") as file, running(root) as daemon:
        file.write(photo()[:100])
        file.flush()
        sort_photo(root, photo(), "a.jpg", daemon)
        until(
            lambda: (
                status(root)["photos"]
                == {"food": 1, "non_food": 0, "unsure": 0, "duplicate": 0, "other": 0, "failed": 1}
            ),
            daemon,
        )
        until(lambda: status(root)["queue"] == {"inbox": 1, "in_flight": 0}, daemon)
        code, out, err = foodsort("status", "--root", root, "--format", "json")
        assert (code, err) == (0, "")
        state = json.loads(out)
        assert foodsort("status", "--root", root)[0] == 0
    assert list(state) == list(EMPTY)
    assert (state["alive"], state["pid"], state["state"], state["waiting_for"]) == (True, daemon.pid, "watching", None)
    assert state["oldest_waiting"]["path"] == "open.jpg"
    assert (state["rate_per_min"], state["engine"]) == (2, "scripted")
    assert state["slowest_stage"] in {"decode", "look_up", "classify", "file"}
    assert {(error["kind"], error["path"]) for error in state["last_errors"]} == {
        ("not_an_image", "bill.pdf"),
        ("skipped", "link.jpg"),
    }
    after = status(root)
    assert (after["alive"], after["state"], after["pid"]) == (False, "stopped", daemon.pid)
    assert after["photos"] == state["photos"]


def test_a_killed_daemon_is_not_alive(root: Path, foodsort: Foodsort) -> None:
    with running(root) as daemon:
        assert status(root)["alive"]
        daemon.kill()
        daemon.wait()
        assert (status(root)["alive"], status(root)["state"]) == (False, "stopped")
        code, out, _ = foodsort("status", "--root", root)
    assert code == 1
    assert "not running; the last one began" in out


@pytest.mark.system
def test_a_full_disk_does_not_stop_the_status(tmp_path: Path) -> None:
    with mounted(tmp_path / "root", "size=256k") as root:
        file = StatusFile(root)
        file.write(EMPTY)
        fill(root)
        file.write(EMPTY | {"pid": 17})
        assert read(root, root / "inbox")["pid"] == 17
        file.close()


@pytest.mark.system
def test_a_disk_full_from_the_start_still_shows_a_running_daemon(tmp_path: Path) -> None:
    with mounted(tmp_path / "root", "size=64k") as root:
        fill(root)
        file = StatusFile(root)
        file.write(EMPTY | {"pid": 17})
        state = read(root, root / "inbox")
        assert (state["alive"], state["pid"], state["state"]) == (True, None, None)
        assert "running" in next(lines(state))
        file.close()


def test_no_reader_sees_half_a_status(tmp_path: Path) -> None:
    file, done = StatusFile(tmp_path), threading.Event()
    file.write(EMPTY | {"pid": 0, "model": "0"})

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            file.write(EMPTY | {"pid": number, "model": str(number) * 3000})

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[StatusDocument] = []
    while len(seen) < 300 or len({status["pid"] for status in seen}) < 3:
        seen.append(read(tmp_path, tmp_path))
    done.set()
    writer.join()
    file.close()
    assert all(set(status["model"] or "") == set(str(status["pid"])) for status in seen)


def test_errors_with_long_paths_are_dropped_before_the_status(tmp_path: Path) -> None:
    file = StatusFile(tmp_path)
    error: ErrorStatus = {
        "at": "2026-11-24T12:00:00.000000Z",
        "kind": "refused",
        "path": "x" * 4000,
        "message": "no",
    }
    file.write(EMPTY | {"last_errors": [error] * 10})
    assert 0 < len(read(tmp_path, tmp_path)["last_errors"]) < 10
    assert (tmp_path / FILE).stat().st_size == SIZE_BYTES
    file.close()


def test_a_second_daemon_does_not_write_over_the_first(tmp_path: Path) -> None:
    first, second = StatusFile(tmp_path), StatusFile(tmp_path)
    first.write(EMPTY | {"pid": 1})
    second.write(EMPTY | {"pid": 2})
    assert read(tmp_path, tmp_path)["pid"] == 1
    first.close()
    second.close()


def test_other_users_may_read_it_if_they_may_enter_the_root(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    root.chmod(0o755)
    at = os.open(root, os.O_RDONLY)  # whatever the folders above allow
    with running(root):
        words = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "cat", f"/proc/self/fd/{at}/{FILE}"]
        done = subprocess.run(words, capture_output=True, pass_fds=[at], check=False)
    os.close(at)
    assert len(done.stdout) == SIZE_BYTES, done.stderr


def test_a_person_reads_a_few_lines() -> None:
    state: StatusDocument = EMPTY | {
        "alive": True,
        "pid": 17,
        "since": "2026-11-24T09:00:00.000000Z",
        "state": "waiting",
        "waiting_for": {
            "what": "database is locked",
            "since": "2026-11-24T11:59:00.000000Z",
            "attempt": 4,
            "next_try": "2026-11-24T12:00:08.000000Z",
        },
        "queue": {"inbox": 3, "in_flight": 12},
        "more_waiting": True,
        "oldest_waiting": {"path": "trip/a.jpg", "since": "2026-11-24T11:50:00.000000Z"},
        "photos": {"food": 812, "non_food": 90, "unsure": 0, "duplicate": 0, "other": 0, "failed": 3},
        "rate_per_min": 120,
        "slowest_stage": "classify",
        "model": "m@1",
        "engine": "openvino",
        "events": {"kind": "polling", "why": "nfs"},
    }
    assert list(lines(state, NOW)) == [
        "daemon    waiting, process 17 for 3 h",
        "trouble   database is locked (for 60 s, try 4, again in 8 s)",
        "queue     3 or more in the inbox, 12 in flight",
        "oldest    trip/a.jpg, for 10 min",
        "filed     812 food, 90 non_food, 3 failed; 120 in the last minute",
        "slowest   classify",
        "model     m@1 on openvino",
        "events    polling: nfs",
    ]


def test_a_missing_root_is_an_error(tmp_path: Path, foodsort: Foodsort) -> None:
    code, _, err = foodsort("status", "--root", tmp_path / "none")
    assert code == 1
    assert "foodsort init" in err
