"""The program of a worker process: it receives photos as descriptors and returns pixels through shared memory.

Messages are JSON over a socket that keeps message boundaries. The first one is the Task, with the descriptor of the shared
memory; each further one is the number of a photo, with its descriptor. The reply has the same number.
"""

import gc
import json
import mmap
import os
import signal
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import NotRequired, TypedDict

from PIL import AvifImagePlugin
from pillow_heif import options
from pillow_jxl import JpegXLImagePlugin

from daemon.decoders import sandbox, seccomp
from models.errors import ImageError, ImageErrorKind
from models.images import reader
from models.images.decode import Fit, Picture, Pixels, Within, decode

MESSAGE_BYTES = 8192
ERROR_CHARS = 500
"""Longest text of an error: a message holds it, however it is escaped."""
_HEIF_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
WHOLE_FILE_BYTES = 64 << 20  # larger files are not read into memory but repeatedly from the page cache


@dataclass(frozen=True)
class Task:
    """The settings of a worker, sent once.

    Attributes:
        parent: Process id of the daemon.
        fit: Size and shape of the pixels to return.
        max_pixels: Width times height of the largest image to decode.
        cpu_s: Processor time for one photo (s).
    """

    parent: int
    fit: Fit | Within
    max_pixels: int
    cpu_s: float

    def dump(self) -> bytes:
        """Encodes the task as a message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, message: bytes) -> "Task":
        """Decodes a message."""
        fields = json.loads(message)
        fit = fields["fit"]
        return cls(**fields | {"fit": Fit(**fit) if "mode" in fit else Within(**fit)})


class Greeting(TypedDict):
    """The message of a worker that is ready."""

    seccomp: bool
    landlock: int


class ExifFields(TypedDict):
    """The EXIF fields of a photo, see `models.images.exif.Exif`."""

    taken_at: str | None
    taken_offset: str | None
    camera: str | None


class PictureReply(TypedDict):
    """The reply for a decoded photo, whose pixels are in the shared memory.

    Attributes:
        number: Number of the photo, from its message.
        shape: Rows and columns of the pixels.
    """

    number: int
    format: str
    width: int
    height: int
    exif: ExifFields
    shape: tuple[int, int]


class ErrorReply(TypedDict):
    """The reply for a photo that cannot be decoded: an ImageError, or the number of an OSError."""

    number: int
    kind: NotRequired[ImageErrorKind]
    message: NotRequired[str]
    errno: NotRequired[int]


def main() -> None:
    """Decodes photos until the socket, which is standard input, is closed."""
    # A terminal's Ctrl-C and systemd's stop reach every process, but the daemon decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # There is already one worker for each core.
    options.DECODE_THREADS = AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    JpegXLImagePlugin.DECODE_THREADS = 0
    with socket.socket(fileno=0) as daemon:
        message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
        if not message:
            return
        task = Task.load(message)
        sandbox.die_with(task.parent)
        shared_memory = mmap.mmap(fds[0], 0)
        os.close(fds[0])
        # The daemon's log must not get lines of a hostile photo, and a reader that hangs must not hang this process.
        os.dup2(1, 2)
        _load_plugins()
        isolation = sandbox.confine(task.max_pixels, daemon.fileno())
        gc.freeze()
        daemon.sendall(json.dumps(Greeting(seccomp=isolation.seccomp, landlock=isolation.landlock)).encode())
        while True:
            message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
            if not message:
                return
            reply, pixels = _decode(fds[0], int(message), task)
            if pixels is not None:
                shared_memory[: pixels.nbytes] = pixels.tobytes()
            daemon.sendall(json.dumps(reply).encode())


def _load_plugins() -> None:
    """Loads what the libraries load at the first image of a kind: libheif its plug-ins, where it has some, and codecs."""
    reader.load_codecs()
    with suppress(ImageError):
        decode(_HEIF_START, Fit())


def _decode(fd: int, number: int, task: Task) -> tuple[PictureReply | ErrorReply, Pixels | None]:
    sandbox.allow_cpu(task.cpu_s)
    try:
        with os.fdopen(fd, "rb") as file:
            file.seek(0)  # the daemon has read from the same open file
            source = file if os.fstat(fd).st_size > WHOLE_FILE_BYTES else file.read()
            picture = decode(source, task.fit, task.max_pixels)
    except ImageError as error:
        return _error(number, error.kind, str(error)), None
    except MemoryError:
        return _error(number, ImageErrorKind.TOO_LARGE, "there is too little memory to decode it"), None
    except Exception as error:  # noqa: BLE001
        # A refused call is no error of the disk, which would be waited for.
        if isinstance(error, OSError) and error.errno is not None and error.errno not in seccomp.REFUSED:
            return ErrorReply(number=number, errno=error.errno), None
        message = f"its decoder failed ({type(error).__name__}: {error})"
        return _error(number, ImageErrorKind.DECODER_CRASHED, message), None
    return _reply(number, picture), picture.pixels


def _error(number: int, kind: ImageErrorKind, message: str) -> ErrorReply:
    return ErrorReply(number=number, kind=kind, message=message[:ERROR_CHARS])


def _reply(number: int, picture: Picture) -> PictureReply:
    rows, columns, _ = picture.pixels.shape
    return PictureReply(
        number=number,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        exif=ExifFields(
            taken_at=picture.exif.taken_at,
            taken_offset=picture.exif.taken_offset,
            camera=picture.exif.camera,
        ),
        shape=(rows, columns),
    )
