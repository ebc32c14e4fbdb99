"""A daemon whose output nobody takes: a full disk, a reader that is gone, a reader that does not read."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo, status, until
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow


def full_disk() -> tuple[int, ...]:
    return (os.open("/dev/full", os.O_WRONLY),)


def pipe_without_reader() -> tuple[int, ...]:
    reader, writer = os.pipe()
    os.close(reader)
    return (writer,)


def full_pipe() -> tuple[int, ...]:
    """A pipe without room from the start."""
    reader, writer = os.pipe()
    os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))
    return writer, reader


@contextmanager
def started_with_output(root: Path, output: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root)]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


@contextmanager
def closed_at_end(fds: tuple[int, ...]) -> Iterator[int]:
    try:
        yield fds[0]
    finally:
        for fd in fds:
            os.close(fd)


@pytest.mark.parametrize("output", [full_disk, pipe_without_reader, full_pipe])
def test_photos_are_sorted_and_a_stop_is_clean_where_nobody_takes_the_log(
    root: Path, photo: Photo, output: object
) -> None:
    with closed_at_end(output()) as fd, started_with_output(root, fd) as daemon:  # type: ignore[operator]
        until(lambda: status(root)["state"] == "watching", daemon)  # type: ignore[arg-type]
        for shade in range(3):
            (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
        until(lambda: len(list((root / "food").iterdir())) == 3, daemon)  # type: ignore[arg-type]
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_a_second_stop_ends_it_while_its_terminal_blocks(root: Path, photo: Photo) -> None:
    controller, terminal = os.openpty()
    os.set_blocking(controller, False)

    def is_watching() -> bool:
        with suppress(BlockingIOError):
            os.read(controller, 1 << 16)
        return bool(status(root)["state"] == "watching")

    with closed_at_end((terminal, controller)) as fd, started_with_output(root, fd) as daemon:
        until(is_watching, daemon)  # type: ignore[arg-type]
        termios.tcflow(terminal, termios.TCOOFF)  # what Ctrl-S does
        (root / "inbox/bill.pdf").write_bytes(b"%PDF")  # that it failed is said on the terminal
        until(lambda: bool(rows(root)), daemon)  # type: ignore[arg-type]
        daemon.terminate()
        until(lambda: status(root)["state"] == "stopping", daemon)  # type: ignore[arg-type]
        daemon.terminate()
        assert daemon.wait(20) in {1, -signal.SIGALRM}
