"""A terminal of the tests' own: a pseudo-terminal with a width, which a command takes for a person's."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

_ABOUT_TERMINALS = (
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "GITHUB_ACTIONS",
)


def on_terminal(width: int, *words: str | Path, **environment: str) -> tuple[int, str]:
    """Runs foodsort on a terminal of so many columns; returns its exit code and what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, width, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in _ABOUT_TERMINALS}
    command = [sys.executable, "-m", "daemon", *map(str, words)]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=inherited | {"TERM": "xterm-256color"} | environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        if not some:
            break
        written += some
    os.close(ours)
    return process.wait(60), written.decode().replace("\r\n", "\n")
