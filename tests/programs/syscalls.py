"""Makes one system call of foodsort fail, or kills foodsort there, by a library that is preloaded (LD_PRELOAD).

As a program it is a fork server whose commands can fail.
"""

import ctypes
import mmap
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon import failpoints
from tests.daemon.conftest import FAST
from tests.programs.fork_server import ForkServer, serve

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
    """Runs commands of foodsort in which a call can fail."""

    def __init__(self, syscalls: Syscalls, output: Path) -> None:
        self._syscalls = syscalls
        self._output = output
        self._environment = os.environ | FAST | _FASTER | syscalls.environment
        self._server = ForkServer(__name__, self._environment)

    def run(self, *words: str | Path, fault: Fault | None = None, failpoint: str = "") -> tuple[int, str]:
        """Runs a command. Returns its exit code, negative when a signal ended it, and its output."""
        self._syscalls.prepare(fault)
        environment = self._environment | {failpoints.VARIABLE: failpoint}
        with self._output.open("w") as file:
            code = self._server.start(list(map(str, words)), file.fileno(), file.fileno(), environment).wait()
        return code, self._output.read_text(errors="replace")

    def close(self) -> None:
        """Ends the process."""
        self._server.close()


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


def main() -> None:
    control = _mapped(Path(os.environ[_VARIABLE]))

    def prepare() -> None:
        control.pid = os.getpid()

    serve(prepare)


if __name__ == "__main__":
    main()
