"""Starts commands of foodsort in forks of one process that has all modules loaded, several times as fast as new ones.

As a program it serves a socket: each message has the words, the environment and the folder of a command, and the
descriptors of its stdout, its stderr and a pipe. The pipe gets its process id, and then its exit code.
"""

import importlib
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from daemon import failpoints

_MESSAGE_BYTES = 1 << 20
_FDS = 3
_MAX_FDS = 1024
_AT_START = ("LD_", "PYTHON", "LC_", "LANG", "MALLOC_")
"""Beginnings of variables that the interpreter, or the C library, reads when a process starts."""


class ForkedProcess(subprocess.Popen[str]):
    """A command in a fork, like one that was started by `subprocess`."""

    def __init__(self, args: list[str], status: int) -> None:
        self._status = os.fdopen(status, "r")
        self._child_created = False  # its parent, and not this process, waits for it
        self.args = args
        self.stdin = self.stdout = self.stderr = None
        self.returncode: int | None = None
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        """Returns the exit code, None while the process runs."""
        return self._read_status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code. Raises TimeoutExpired."""
        code = self._read_status(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _read_status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], (), (), timeout)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode


class ForkServer:
    """A process that runs commands in forks."""

    def __init__(self, program: str = __name__, environment: dict[str, str] | None = None) -> None:
        """Starts it.

        Args:
            program: Module that calls `serve`.
            environment: Variables beside those of this process.
        """
        environment = os.environ | (environment or {})
        self._at_start = _read_at_start(environment)
        self._namespace = _mount_namespace()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", program]
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), env=environment)
        self._socket = ours

    def can_start(self, environment: Mapping[str, str]) -> bool:
        """Whether a command in a fork behaves like one in a new process."""
        return _read_at_start(environment) == self._at_start and _mount_namespace() == self._namespace

    def start(self, words: Sequence[str], stdout: int, stderr: int, environment: Mapping[str, str]) -> ForkedProcess:
        """Starts a command of foodsort.

        Args:
            words: Its command line, without the program's name.
            stdout: Descriptor of its output.
            stderr: Descriptor of its errors.
            environment: Its environment.
        """
        args = list(words)
        message = json.dumps({"words": args, "environment": dict(environment), "folder": os.getcwd()}).encode()
        status, theirs = os.pipe()
        try:
            socket.send_fds(self._socket, [message], [stdout, stderr, theirs])
        finally:
            os.close(theirs)
        return ForkedProcess(args, status)

    def close(self) -> None:
        """Ends the server; its commands run on."""
        self._socket.close()
        self._process.wait(60)


def serve(prepare: Callable[[], None] = lambda: None) -> None:
    """Serves the socket on stdin until its other end is closed. prepare: is called in each command first."""
    _load_modules()
    with socket.socket(fileno=os.dup(0)) as requests:
        while True:
            message, fds, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, _FDS)
            if not message:
                return
            if os.fork() == 0:
                request = json.loads(message)
                stdout, stderr, status = fds
                child = os.fork()
                if child == 0:
                    break
                _report(child, status)
            for fd in fds:
                os.close(fd)
            _reap()
    _become(request, stdout, stderr)
    prepare()
    runpy.run_module("daemon", run_name="__main__", alter_sys=True)


def _report(child: int, status: int) -> NoReturn:
    """Reports a command's process and its end."""
    os.closerange(0, status)
    os.write(status, b"%d\n" % child)
    os.closerange(status + 1, status + 64)
    _, ended = os.waitpid(child, 0)
    try:
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
    finally:
        os._exit(0)


def _become(request: dict[str, Any], stdout: int, stderr: int) -> None:
    """Gives this process the environment of a command."""
    os.dup2(stdout if os.isatty(stdout) else os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, _MAX_FDS)
    # As the interpreter opens them when it starts: they know whether they are terminals, and whether they can seek.
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["foodsort", *request["words"]]
    time.tzset()
    importlib.reload(failpoints)  # it reads the environment


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


def _mount_namespace() -> int:
    """Mounts that this thread sees; the tests of filesystems have their own."""
    return os.stat("/proc/thread-self/ns/mnt").st_ino


def _load_modules() -> None:
    """Loads what commands would load, except programs and what few commands need."""
    import daemon

    for module in pkgutil.walk_packages(daemon.__path__, "daemon."):
        if not any(part in module.name for part in ("__main__", ".migrations", "decoders.worker")):
            __import__(module.name)
    __import__("sqlalchemy.dialects.sqlite")


if __name__ == "__main__":
    serve()
