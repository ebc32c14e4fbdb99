import json
import os
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.conftest import photo as photo
from tests.systemd.sandbox import Sandbox, Unavailable, booted

ROOT = "/var/lib/foodsort"
PROJECT = Path(__file__).parents[2]
# A folder that the service's user can reach, whichever user runs the tests.
_AT = "/opt/foodsort"
_PYTHON = f"{_AT}/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
_START = f"import sys; sys.path[:0] = ['{_AT}/project', '{_AT}/packages']; from daemon.cli import app; app()"
PROBE = f"{_PYTHON} -I {_AT}/project/tests/systemd/probe.py"
"""Command that prints its own permissions, see probe.py."""
_FAST = ("MODEL__ENGINE=scripted", "WATCH__SETTLE_S=0.2", "WATCH__RESCAN_S=1")


class Machine:
    """A machine with foodsort's units installed; they run in the Python environment of the tests."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.call, self.path = sandbox.call, sandbox.path

    def install(self) -> None:
        """Installs as `make install-service` does, without the Python environment, which takes minutes and a network."""
        app = self.path("/usr/local/lib/foodsort/bin/foodsort")
        app.parent.mkdir(parents=True, exist_ok=True)
        # A Python that is not the system's may have its library beside it.
        words = f"LD_LIBRARY_PATH={_AT}/python/lib exec {_PYTHON} -I -c {shlex.quote(_START)}"
        app.write_text(f'#!/bin/sh\n{words} "$@"\n')
        app.chmod(0o755)
        self.call("ln", "-sfn", "../lib/foodsort/bin/foodsort", "/usr/local/bin/foodsort")
        self.call("make", "-C", f"{_AT}/project", "service-user", "service-units")

    def as_user(
        self, name: str, *command: str, stdin: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command as a person with an everyday umask."""
        become = ("setpriv", "--reset-env", "--reuid", name, "--regid", name, "--init-groups")
        return self.call(
            *become, "sh", "-c", 'cd / && umask 022 && exec "$@"', "sh", *command, stdin=stdin, check=check
        )

    def set(self, *lines: str, unit: str = "foodsort.service", fast: bool = True, doctor: bool = False) -> None:
        """Writes a drop-in with these lines for [Service].

        Args:
            lines: Lines of the section.
            unit: Name of the unit.
            fast: Use the scripted engine and short waits.
            doctor: Run `foodsort doctor` before the start, as the shipped unit does.
        """
        settings = [f"Environment=FOODSORT_{setting}" for setting in _FAST] if fast else []
        settings += [] if doctor else ["ExecStartPre="]
        folder = self.path(f"/run/systemd/system/{unit}.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "50-test.conf").write_text("\n".join(["[Service]", *settings, *lines, ""]))
        self.call("systemctl", "daemon-reload")

    def example(self, name: str, unit: str = "foodsort.service", **replaced: str) -> None:
        """Installs a shipped drop-in, as docs/service.md describes."""
        text = self.path(f"/usr/local/share/foodsort/systemd/{name}.conf").read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        folder = self.path(f"/run/systemd/system/{unit}.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"60-{name}.conf").write_text(text)
        self.call("systemctl", "daemon-reload")

    def start(self, unit: str = "foodsort.service") -> None:
        """Starts a unit and waits until it reports READY=1."""
        self.call("systemctl", "start", unit)

    def show(self, name: str, unit: str = "foodsort.service") -> str:
        """A property of a unit."""
        return self.call("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def events(self, kind: str, unit: str = "foodsort.service") -> int:
        """Number of journal entries of a kind (journal field KIND) in this test."""
        command = ("journalctl", "--no-pager", "--quiet", "--output=cat", "--since", self._since, "--unit", unit)
        return len(self.call(*command, f"KIND={kind}").stdout.splitlines())

    def status(self, root: str = ROOT) -> dict[str, Any]:
        """The status document of the daemon."""
        return dict(json.loads(self.foodsort("status", "--root", root, "--format", "json").stdout))

    def journal(self, unit: str = "foodsort.service") -> str:
        """Log lines of a unit in this test."""
        return self.call("journalctl", "--no-pager", "--output=cat", "--since", self._since, "--unit", unit).stdout

    def foodsort(self, *words: str, user: str = "foodsort", check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs the command as a user."""
        return self.as_user(user, "foodsort", *words, check=check)

    def results(self, root: str = ROOT, user: str = "foodsort") -> dict[str, dict[str, Any]]:
        """The rows of the database, by path in the inbox."""
        rows = json.loads(self.foodsort("results", "--root", root, "--format", "json", user=user).stdout)
        return {row["inbox_path"]: row for row in rows}

    def fresh(self) -> None:
        """Stops all units and removes photos and drop-ins; makes the folders of tmpfiles.d again."""
        units = ("foodsort.service", "foodsort@*.service", "foodsort-review.service", "foodsort-hook@*.service")
        self.call("systemctl", "stop", *units)
        folders = f"{ROOT}* /var/lib/private /etc/foodsort /var/cache/foodsort* /run/systemd/system/foodsort*.d"
        self.call("sh", "-c", f"umount -q {ROOT}-*; rm -rf {folders}")
        self.call("systemctl", "reset-failed")
        self.call("systemctl", "daemon-reload")
        self.call("systemd-tmpfiles", "--create", "foodsort.conf")
        self._since = f"@{time.time():.6f}"


@contextmanager
def boot(folder: Path, shared: Mapping[str, Path]) -> Iterator[Sandbox]:
    """Boots a systemd in an empty folder; skips the test where this is impossible."""
    try:
        with booted(folder, shared) as sandbox:
            yield sandbox
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def _machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    shared = {
        f"{_AT}/project": PROJECT,
        f"{_AT}/python": Path(sys.base_prefix),
        f"{_AT}/packages": Path(sysconfig.get_path("purelib")),
    }
    with boot(tmp_path_factory.mktemp("sandbox"), shared) as sandbox:
        machine = Machine(sandbox)
        machine.install()
        for person in ("anna", "bob"):
            sandbox.call("useradd", "--create-home", "--groups", "foodsort", person)
        sandbox.call("useradd", "--create-home", "eve")
        yield machine


@pytest.fixture
def machine(_machine: Machine) -> Machine:
    """A machine with foodsort's units, on which nothing has been sorted yet."""
    _machine.fresh()
    return _machine


def until(done: Callable[[], bool], description: str, timeout_s: float = 50) -> None:
    """Waits for a condition; fails after the timeout."""
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"timed out: {description}"
        time.sleep(0.1)


def drop(folder: Path, *names: str, photo: bytes) -> None:
    """Puts files with these bytes into a folder, each by one rename."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        hidden = folder / f".{name}.part"
        hidden.write_bytes(photo)
        os.rename(hidden, folder / name)
