"""Commands in their own processes: killed at a failpoint, or started with a limit."""

import atexit
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from daemon.failpoints import VARIABLE
from tests.programs.fork_server import ForkServer

COMMAND = [sys.executable, "-m", "daemon"]
LIMIT = 'echo $1 > /proc/sys/user/$0 && shift && exec "$@"'


@cache
def _fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.close)
    return server


def start_command(
    *words: str | Path,
    output: IO[Any],
    errors: IO[Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[str]":
    """Starts a command of foodsort in its own process.

    Args:
        words: Its command line, without the program's name.
        output: File for its stdout.
        errors: File for its stderr; by default that of its stdout.
        environment: Its environment; by default that of this process.
    """
    command = list(map(str, words))
    errors = errors or output
    environment = os.environ if environment is None else environment
    if _fork_server().can_start(environment):
        return _fork_server().start(command, output.fileno(), errors.fileno(), environment)
    return subprocess.Popen([*COMMAND, *command], stdout=output, stderr=errors, text=True, env=environment)


def watch_command(root: Path, cursor: Path) -> str:
    """The command for a shell that reads the rows of a root from a cursor on."""
    words = ["results", "--root", root, "--watch", "--format", "jsonl", "--cursor", cursor]
    return shlex.join(map(str, [*COMMAND, *words]))


def run_command(
    *words: str | Path,
    output: IO[Any] | None = None,
    errors: IO[Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Runs a command of foodsort in its own process, with `output` and `errors` instead of pipes if they are given."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = start_command(*words, output=output or out, errors=errors or err, environment=environment)
        code = process.wait(60)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(process.args, code, out.read(), err.read())


def kill_at(point: str, *words: str | Path) -> None:
    """Runs a command that is killed at a failpoint; fails if it is not."""
    ended = run_command(*words, environment=os.environ | {VARIABLE: point})
    assert ended.returncode == -signal.SIGKILL, f"{point}: {ended.stderr}"


def limit_command(name: str, limit: int) -> list[str]:
    """Returns a command prefix that sets a limit in a user namespace; skips the test where there are no user namespaces."""
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", LIMIT, name, str(limit)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not available")
    return command


def kill_run_at(root: Path, point: str) -> None:
    """Runs a daemon that is killed at a failpoint; fails if it is not."""
    kill_at(point, "run", "--root", root, "--once")
