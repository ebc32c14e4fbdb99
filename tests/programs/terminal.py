"""A pseudo-terminal of a given width, so that a command believes it runs on a terminal."""

import fcntl
import os
import pty
import struct
import termios
from pathlib import Path

from tests.daemon.processes import start_command

_TERMINAL_VARIABLES = (
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "GITHUB_ACTIONS",
)


def on_terminal(width: int, *words: str | Path, **environment: str) -> tuple[int, str]:
    """Runs foodsort on a terminal.

    Args:
        width: Columns of the terminal.
        words: Command line, without `foodsort`.
        environment: Additional environment variables.

    Returns:
        Exit code and output.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, width, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in _TERMINAL_VARIABLES}
    with os.fdopen(terminal, "wb", buffering=0) as file:
        process = start_command(*words, output=file, environment=inherited | {"TERM": "xterm-256color"} | environment)
    output = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # EIO: no process has the terminal open any more
            break
        if not chunk:
            break
        output += chunk
    os.close(controller)
    return process.wait(60), output.decode().replace("\r\n", "\n")
