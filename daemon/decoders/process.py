"""A worker process as the daemon sees it: started, given photos, ended. Each of its replies is checked."""

import errno
import fcntl
import json
import mmap
import os
import re
import socket
import subprocess
import sys
from typing import Any

import numpy as np

from daemon.decoders.exit_status import ExitReason
from daemon.decoders.sandbox import Isolation
from daemon.decoders.worker import ERROR_CHARS, MESSAGE_BYTES, Task
from models.errors import ImageError, ImageErrorKind
from models.filenames import escape_control_characters
from models.images import exif
from models.images.decode import Fit, Picture

START_S = 60.0
"""Maximum time in which a worker has to become ready (s)."""
_END_S = 1.0
_FORMAT = re.compile(r"\w{1,16}", re.ASCII)
# Where libraries are found, and how text is encoded.
_VARIABLE = re.compile(r"PATH|LANG|TZ|GLIBC_TUNABLES|(LC|LD|LIBHEIF)_\w+", re.ASCII)
# Each worker has a core to itself, and allocators of several threads would reserve address space, which is limited.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class WorkerStartFailed(OSError):
    """Raised when a worker does not become ready, which is not the fault of a photo."""


class WorkerLost(Exception):
    """Raised when a worker had ended before it received the photo."""


class WorkerDied(Exception):
    """Raised when a worker ended, or had to be killed, while it decoded a photo."""

    def __init__(self, exit_reason: ExitReason) -> None:
        super().__init__(exit_reason)
        self.exit_reason = exit_reason


class WorkerProcess:
    """A worker, from its start to its end. Used by one thread at a time, except for `kill`.

    The kernel kills it when the thread that started it ends, so that thread has to live as long as the worker is needed.

    Attributes:
        photos: Number of photos that it has received.
        isolation: What keeps it from everything but its photo, None until it is ready.
    """

    def __init__(self, task: Task) -> None:
        """Starts the process and does not wait until it is ready. Raises OSError when it cannot be started."""
        self.photos = 0
        self.isolation: Isolation | None = None
        self._task = task
        self._socket, stdin = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with stdin, os.fdopen(_create_pixel_memory(3 * task.fit.side**2), "rb") as memory:
                socket.send_fds(self._socket, [task.dump()], [memory.fileno()])
                self._pixels = mmap.mmap(memory.fileno(), 0, prot=mmap.PROT_READ)
                self._process = _start(stdin)
        except BaseException:
            self._socket.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def await_ready(self) -> None:
        """Waits until the worker is ready, if that is not known yet.

        Raises:
            WorkerStartFailed: It did not become ready and was killed.
        """
        if self.isolation is not None:
            return
        try:
            match _parse(self._receive(START_S)):
                case {"seccomp": bool(filtered), "landlock": int(version), **rest} if not rest and _are_integers(
                    version
                ):
                    self.isolation = Isolation(filtered, version)
                case greeting:
                    raise ValueError(greeting)
        except (EOFError, TimeoutError, ValueError) as error:
            raise WorkerStartFailed(f"a decoder did not start (exit code {self.end(_END_S)})") from error

    def decode(self, fd: int, timeout_s: float) -> Picture:
        """Decodes a photo.

        Args:
            fd: Descriptor of the photo.
            timeout_s: Maximum time for it (s).

        Raises:
            ImageError: The photo cannot be decoded.
            OSError: The photo cannot be read.
            WorkerLost: The worker had ended before; the photo may be given to another one.
            WorkerDied: The worker ended or was killed.
        """
        number = self.photos + 1
        try:
            socket.send_fds(self._socket, [b"%d" % number], [fd])
        except OSError as error:
            raise WorkerLost from error
        self.photos = number
        try:
            result = self._result(_parse(self._receive(timeout_s)))
        except EOFError as error:
            raise WorkerDied(ExitReason(self.end(_END_S))) from error
        except TimeoutError as error:
            raise WorkerDied(ExitReason(self.end(), timed_out=True)) from error
        except ValueError as error:
            raise WorkerDied(ExitReason(self.end(), invalid_reply=True)) from error
        if isinstance(result, Picture):
            return result
        raise result

    def kill(self) -> None:
        """Kills the worker, from any thread; a thread that waits for its reply gets WorkerDied."""
        self._process.kill()

    def end(self, grace_s: float = 0.0) -> int:
        """Closes everything that belongs to the worker and kills it unless it ends by itself. May be called twice.

        Args:
            grace_s: Time in which it may end by itself (s).

        Returns:
            The exit code of the process.
        """
        self._socket.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pixels.close()
        return self._process.returncode

    def _receive(self, timeout_s: float) -> bytes:
        self._socket.settimeout(timeout_s)
        try:
            message, _, flags, _ = self._socket.recvmsg(MESSAGE_BYTES)
        except TimeoutError:
            raise
        except OSError as error:  # such as ECONNRESET: it ended before it read the last message
            raise EOFError from error
        if not message:
            raise EOFError
        if flags & socket.MSG_TRUNC:
            raise ValueError("too long")
        return message

    def _result(self, reply: dict[str, Any]) -> Picture | ImageError | OSError:
        """Checks a reply and turns it into a picture or error. Raises ValueError when it is invalid."""
        number = reply.pop("number", None)
        if not _are_integers(number) or number != self.photos:  # a late reply, or several for one photo
            raise ValueError(number)
        match reply:
            case {"kind": str(kind), "message": str(message), **rest} if not rest:
                return ImageError(ImageErrorKind(kind), _printable(message))
            case {"errno": int(code), **rest} if not rest and _are_integers(code) and code in errno.errorcode:
                return OSError(code, os.strerror(code))
            case {
                "format": str(image_format),
                "width": int(width),
                "height": int(height),
                "shape": [int(rows), int(columns)],
                "exif": {"taken_at": taken_at, "taken_offset": taken_offset, "camera": camera, **more},
                **rest,
            } if (
                not more
                and not rest
                and _are_integers(width, height, rows, columns)
                and _FORMAT.fullmatch(image_format)
                and width > 0 < height
                and width * height <= self._task.max_pixels
                and self._fits(rows, columns)
            ):
                pixels = np.frombuffer(self._pixels, np.uint8, 3 * rows * columns).reshape(rows, columns, 3).copy()
                return Picture(pixels, image_format, width, height, exif.validate(taken_at, taken_offset, camera))
        raise ValueError(reply)

    def _fits(self, rows: int, columns: int) -> bool:
        fit = self._task.fit
        if isinstance(fit, Fit):
            return (rows, columns) == (fit.side, fit.side)
        return 0 < rows <= fit.side >= columns > 0


def _create_pixel_memory(size: int) -> int:
    """Returns the descriptor of shared memory for one picture, sealed: reading removed pages would kill the daemon."""
    fd = os.memfd_create("foodsort-pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _start(stdin: socket.socket) -> "subprocess.Popen[bytes]":
    # Isolated from variables and the user's own packages, but with the same modules as this process.
    code = f"import sys; sys.path[:] = {sys.path!r}; from daemon.decoders.worker import main; main()"
    # A hostile photo must not find a password in its process.
    environment = {name: value for name, value in os.environ.items() if _VARIABLE.fullmatch(name)}
    return subprocess.Popen(
        [sys.executable, "-I", "-W", "ignore", "-c", code],
        stdin=stdin.fileno(),
        stdout=subprocess.DEVNULL,
        env=environment | _ONE_THREAD,
        process_group=0,  # a terminal's Ctrl-C is meant for the daemon
    )


def _parse(message: bytes) -> dict[str, Any]:
    """Parses a JSON object. Raises ValueError when the message is none."""
    try:
        fields = json.loads(message)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(fields, dict):
        raise ValueError(fields)
    return fields


def _are_integers(*values: object) -> bool:
    """Whether they are whole numbers; True and False, which Python counts as such, are not."""
    return all(type(value) is int for value in values)


def _printable(message: str) -> str:
    """Makes the text of a process that may be hostile fit for a log, a terminal and a database."""
    return escape_control_characters(message.encode("utf-8", "replace").decode())[:ERROR_CHARS]
