"""Commands in their own processes: killed at a failpoint, or started with a limit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.failpoints import VARIABLE

COMMAND = [sys.executable, "-m", "daemon"]
LIMIT = 'echo $1 > /proc/sys/user/$0 && shift && exec "$@"'


def kill_at(point: str, *words: str | Path) -> None:
    """Runs a command that is killed at a failpoint; fails if it is not."""
    command = [*COMMAND, *map(str, words)]
    ended = subprocess.run(command, env=os.environ | {VARIABLE: point}, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, f"{point}: {ended.stderr.decode()}"


def limit_command(name: str, limit: int) -> list[str]:
    """Returns a command prefix that sets a limit in a user namespace; skips the test where there are no user namespaces."""
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", LIMIT, name, str(limit)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not available")
    return command


def kill_run_at(root: Path, point: str) -> None:
    """Runs a daemon that is killed at a failpoint; fails if it is not."""
    kill_at(point, "run", "--root", root, "--once")
