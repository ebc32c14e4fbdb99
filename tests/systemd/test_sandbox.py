"""The tests' own systemd ends with the tests, also when they fail or are killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd.conftest import PROJECT, boot, until
from tests.systemd.sandbox import cgroup

_BOOT = """
import sys, time
from pathlib import Path
from tests.systemd.sandbox import booted
with booted(Path(sys.argv[1]), {}) as sandbox:
    print(sandbox.pid, flush=True)
    time.sleep(60)
"""


def _gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_sandbox_ends_with_a_failing_test(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    pids = []

    def fail() -> None:
        with boot(folder, {}) as sandbox:
            pids.append(sandbox.pid)
            assert sandbox.call("systemctl", "is-active", "basic.target").stdout == "active\n"
            sandbox.call("touch", "/etc/foodsort-was-here")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _gone(pids[0])
    assert not Path("/etc/foodsort-was-here").exists()
    assert not cgroup().exists()


def test_the_sandbox_ends_with_killed_tests(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    command = [sys.executable, "-c", _BOOT, str(folder)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout
        pid = int(tests.stdout.readline() or 0)
        tests.send_signal(signal.SIGKILL)
    if not pid:
        pytest.skip("no systemd could be booted")
    until(lambda: _gone(pid), "systemd ends")
    # The next sandbox finds the files of a killed one and removes them.
    assert cgroup().exists()
    folder.rmdir()
    folder.mkdir()
    with boot(folder, {}):
        pass
    assert not cgroup().exists()
