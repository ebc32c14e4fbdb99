"""Makes one system call of foodsort fail, or kills foodsort there, by a library that is preloaded (LD_PRELOAD).

As a program it runs commands of foodsort, each in a fork of its own that has all modules loaded: it reads lines of JSON
with a failpoint and the words of a command, and answers each with the exit code.
"""

import ctypes
import importlib
import json
import mmap
import os
import pkgutil
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon import failpoints
from tests.daemon.conftest import FAST

_FASTER = {
    "FOODSORT_WATCH__SETTLE_S": "0.05",
    "FOODSORT_WATCH__TRUNCATED_S": "0.1",
    "FOODSORT_BATCH__MAX_DELAY_MS": "50",
    "FOODSORT_IMAGES__DECODERS": "1",
}
_VARIABLE = "FOODSORT_TEST_SYSCALLS"
CALLS = ("open", "read", "write", "sync", "rename", "link", "unlink", "mkdir", "stat", "chmod", "utime")
"""Kinds of calls, in the order of the C file."""

_ACTIONS = {"nothing": 0, "done": 2, "kill": 3}  # any other fault: 1, fail instead
_ERRORS = {"EIO": 5, "ENOSPC": 28, "EINTR": 4, "done": 5}
FAULTS = {
    "EIO": CALLS,
    "ENOSPC": ("open", "write", "sync", "rename", "link", "mkdir"),
    "EINTR": ("open", "write", "rename", "link"),
    "done": ("sync", "rename", "link", "unlink", "mkdir"),
    "kill": ("open", "write", "sync", "rename", "link", "unlink", "mkdir"),
}
"""Faults, and the calls at which they make sense. `done`: is carried out and reports EIO. `kill`: SIGKILL before it."""


class Fault(NamedTuple):
    """One fault: at a call, counted from 1."""

    kind: str
    call: str
    number: int


class _Control(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_int32),
        ("plain", ctypes.c_int32),
        ("call", ctypes.c_int32),
        ("number", ctypes.c_int32),
        ("action", ctypes.c_int32),
        ("error", ctypes.c_int32),
        ("hits", ctypes.c_int32),
        ("counts", ctypes.c_int32 * len(CALLS)),
        ("where", ctypes.c_char * 1024),
        ("below", (ctypes.c_char * 256) * 2),
    )


class Syscalls:
    """The preloaded library, and the memory that it shares with this process."""

    def __init__(self, folder: Path) -> None:
        """Compiles the library. Raises FileNotFoundError without a compiler."""
        self._library = folder / "syscalls.so"
        self._page = folder / "syscalls"
        self._page.write_bytes(bytes(mmap.PAGESIZE))
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)
        self._control = _mapped(self._page)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process in which calls can fail."""
        return {"LD_PRELOAD": str(self._library), _VARIABLE: str(self._page)}

    @property
    def counts(self) -> dict[str, int]:
        """Calls since `prepare`, by kind."""
        return dict(zip(CALLS, self._control.counts, strict=True))

    @property
    def where(self) -> str:
        """Path at which the fault came; empty when it has not come."""
        return os.fsdecode(self._control.where)

    def concern(self, *folders: Path, plain: bool) -> None:
        """Names the folders whose calls count. plain: without RENAME_NOREPLACE, as on NFS and some FUSE filesystems."""
        self._control.plain = plain
        for number, folder in enumerate(folders):
            self._control.below[number].value = os.fsencode(folder)

    def prepare(self, fault: Fault | None, pid: int = 0) -> None:
        """Sets the next fault. pid: process in which it comes; 0: unchanged."""
        control = self._control
        control.action = _ACTIONS["nothing"]
        control.counts = type(control.counts)()
        control.where = b""
        control.hits = 0
        control.pid = pid or control.pid
        if fault is not None:
            control.call = CALLS.index(fault.call)
            control.number = fault.number
            control.error = _ERRORS.get(fault.kind, 0)
            control.action = _ACTIONS.get(fault.kind, 1)


class Commands:
    """Runs commands of foodsort in forks of one process."""

    def __init__(self, syscalls: Syscalls, output: Path) -> None:
        self._syscalls = syscalls
        self._output = output
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, output],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | FAST | _FASTER | syscalls.environment,
        )

    def run(self, *words: str | Path, fault: Fault | None = None, failpoint: str = "") -> tuple[int, str]:
        """Runs a command. Returns its exit code, negative when a signal ended it, and its output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._syscalls.prepare(fault)
        self._process.stdin.write(json.dumps([failpoint, *map(str, words)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), self._output.read_text(errors="replace")

    def close(self) -> None:
        """Ends the process."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0


@contextmanager
def commands(syscalls: Syscalls, output: Path) -> Iterator[Commands]:
    """A process that runs commands, until the end."""
    process = Commands(syscalls, output)
    try:
        yield process
    finally:
        process.close()


def _mapped(page: Path) -> _Control:
    with page.open("r+b") as file:
        return _Control.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))


def serve(output: str) -> None:
    control = _mapped(Path(os.environ[_VARIABLE]))
    _load_modules()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            control.pid = os.getpid()
            os.environ[failpoints.VARIABLE], *words = json.loads(line)
            importlib.reload(failpoints)  # it reads the variable
            sys.argv = ["foodsort", *words]
            runpy.run_module("daemon", run_name="__main__", alter_sys=True)
            sys.exit(0)
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)  # noqa: T201


def _load_modules() -> None:
    """Loads what commands would load, except what is a program or of no use here."""
    import daemon

    for module in pkgutil.walk_packages(daemon.__path__, "daemon."):
        if not any(part in module.name for part in ("__main__", ".migrations", ".web", "decoders.worker")):
            __import__(module.name)
    __import__("sqlalchemy.dialects.sqlite")


if __name__ == "__main__":
    serve(sys.argv[1])
