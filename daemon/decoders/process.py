"""One worker process as the daemon sees it: started, asked, ended. Nothing that it says is believed unchecked."""

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
from daemon.decoders.sandbox import NetworkIsolation
from daemon.decoders.worker import MESSAGE_BYTES, Task
from models.errors import ImageError, ImageErrorKind
from models.images import exif
from models.images.decode import Fit, Picture

START_S = 60.0
"""How long a worker may take to come up (s)."""
_END_S = 1.0
_FORMAT = re.compile(r"\w{1,16}", re.ASCII)
# Each worker has a core to itself, and allocators of several threads would reserve address space that is counted.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class WorkerStartFailed(OSError):
    """Raised when a worker does not come up, which is no photo's fault."""


class WorkerLost(Exception):
    """Raised when a worker was gone before it was given the photo."""


class WorkerDied(Exception):
    """Raised when a worker ended, or had to be ended, over a photo."""

    def __init__(self, death: ExitReason) -> None:
        super().__init__(death)
        self.death = death


class WorkerProcess:
    """A worker, from its start to its end. Used by one thread at a time, but for `kill`.

    The kernel ends it when the thread that started it ends, so that has to live as long as it is needed.
    """

    def __init__(self, task: Task) -> None:
        """Starts it and does not wait for it. Raises OSError when there is no room for it."""
        self.photos = 0
        """How many photos it was given."""
        self.network: NetworkIsolation | None = None
        """What keeps it from the network, once it is ready."""
        self._task = task
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, os.fdopen(_slab(3 * task.fit.side**2), "rb") as slab:
                socket.send_fds(self._socket, [task.dump()], [slab.fileno()])
                self._slab = mmap.mmap(slab.fileno(), 0, prot=mmap.PROT_READ)
                self._process = _start(theirs)
        except BaseException:
            self._socket.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def await_ready(self) -> None:
        """Waits until it is ready, if it is not known to be. Raises WorkerStartFailed, having ended it."""
        if self.network is not None:
            return
        try:
            said = _parse(self._receive(START_S))
            if said.get("network") not in {"seccomp", "none"}:
                raise ValueError(said)
            self.network = said["network"]
        except (EOFError, TimeoutError, ValueError) as error:
            raise WorkerStartFailed(f"a decoder did not come up (exit code {self.end(_END_S)})") from error

    def decode(self, fd: int, timeout_s: float) -> Picture:
        """Decodes the photo open as `fd`. Raises ImageError, OSError (of the disk), WorkerLost and, having ended it, WorkerDied."""
        try:
            socket.send_fds(self._socket, [b"photo"], [fd])
        except OSError as error:
            raise WorkerLost from error
        self.photos += 1
        try:
            result = self._result(_parse(self._receive(timeout_s)))
        except EOFError as error:
            raise WorkerDied(ExitReason(self.end(_END_S))) from error
        except TimeoutError as error:
            raise WorkerDied(ExitReason(self.end(), late=True)) from error
        except ValueError as error:
            raise WorkerDied(ExitReason(self.end(), confused=True)) from error
        if isinstance(result, Picture):
            return result
        raise result

    def kill(self) -> None:
        """Kills it, from any thread: who waits for it is told so."""
        self._process.kill()

    def end(self, patience_s: float = 0.0) -> int:
        """Kills it unless it ends by itself in time, and lets go of all it used; twice does no harm. Returns its exit code."""
        self._socket.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._slab.close()
        return self._process.returncode

    def _receive(self, timeout_s: float) -> bytes:
        self._socket.settimeout(timeout_s)
        try:
            message, _, flags, _ = self._socket.recvmsg(MESSAGE_BYTES)
        except TimeoutError:
            raise
        except OSError as error:  # such as ECONNRESET: it ended before it took what was sent
            raise EOFError from error
        if not message:
            raise EOFError
        if flags & socket.MSG_TRUNC:
            raise ValueError("too long")
        return message

    def _result(self, said: dict[str, Any]) -> Picture | ImageError | OSError:
        """What an answer stands for. Raises ValueError for one that no sound worker gives."""
        match said:
            case {"kind": str(kind), "message": str(message)}:
                message = (
                    message.encode("utf-8", "replace").decode().replace("\0", "\\x00")
                )  # as PostgreSQL can't keep it
                return ImageError(ImageErrorKind(kind), message)
            case {"errno": int(code)} if code in errno.errorcode:
                return OSError(code, os.strerror(code))
            case {
                "format": str(form),
                "width": int(width),
                "height": int(height),
                "shape": [int(rows), int(columns)],
                "exif": {"taken_at": taken_at, "taken_offset": taken_offset, "camera": camera},
            } if (
                _FORMAT.fullmatch(form)
                and width > 0 < height
                and width * height <= self._task.max_pixels
                and self._fits(rows, columns)
            ):
                pixels = np.frombuffer(self._slab, np.uint8, 3 * rows * columns).reshape(rows, columns, 3).copy()
                return Picture(pixels, form, width, height, exif.checked(taken_at, taken_offset, camera))
        raise ValueError(said)

    def _fits(self, rows: int, columns: int) -> bool:
        fit = self._task.fit
        return (rows, columns) == (fit.side,) * 2 if isinstance(fit, Fit) else 0 < rows <= fit.side >= columns > 0


def _slab(size: int) -> int:
    """Descriptor of memory for one picture, of a size that stays: reading what a worker took away would end the daemon."""
    fd = os.memfd_create("foodsort-pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _start(stdin: socket.socket) -> "subprocess.Popen[bytes]":
    # Isolated from variables and the user's own packages, but with the very modules that run here.
    code = f"import sys; sys.path[:] = {sys.path!r}; from daemon.decoders.worker import main; main()"
    # A hostile photo shall not find the database's password in its process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOODSORT_")}
    return subprocess.Popen(
        [sys.executable, "-I", "-W", "ignore", "-c", code],
        stdin=stdin.fileno(),
        stdout=subprocess.DEVNULL,
        env=environment | _ONE_THREAD,
        process_group=0,  # a terminal's Ctrl-C is for the daemon
    )


def _parse(message: bytes) -> dict[str, Any]:
    """Raises ValueError for anything but a JSON object."""
    try:
        said = json.loads(message)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(said, dict):
        raise ValueError(said)
    return said
