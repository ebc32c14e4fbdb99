"""The program of a worker process: it receives photos as descriptors and returns pixels through shared memory.

Messages are JSON over a socket that keeps message boundaries. The first one is the Task, with the descriptor of the shared
memory; each further one is a photo.
"""

import gc
import json
import mmap
import os
import signal
import socket
from dataclasses import asdict, dataclass
from typing import Literal, NotRequired, TypedDict

from PIL import AvifImagePlugin
from pillow_heif import options

from daemon.decoders import sandbox
from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, Picture, Pixels, Within, decode

MESSAGE_BYTES = 4096
_ERROR_CHARS = 500  # so that a message holds it, however it is escaped
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

    ready: Literal[True]
    network: sandbox.NetworkIsolation


class ExifFields(TypedDict):
    """The EXIF fields of a photo, see `models.images.exif.Exif`."""

    taken_at: str | None
    taken_offset: str | None
    camera: str | None


class PictureReply(TypedDict):
    """The reply for a decoded photo, whose pixels are in the shared memory.

    Attributes:
        shape: Rows and columns of the pixels.
    """

    format: str
    width: int
    height: int
    exif: ExifFields
    shape: tuple[int, int]


class ErrorReply(TypedDict):
    """The reply for a photo that cannot be decoded: an ImageError, or the number of an OSError."""

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
    with socket.socket(fileno=0) as daemon:
        message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
        if not message:
            return
        task = Task.load(message)
        sandbox.die_with(task.parent)
        shared_memory = mmap.mmap(fds[0], 0)
        os.close(fds[0])
        network = sandbox.confine(task.max_pixels)
        gc.freeze()
        daemon.sendall(json.dumps(Greeting(ready=True, network=network)).encode())
        while True:
            message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
            if not message:
                return
            reply, pixels = _decode(fds[0], task)
            if pixels is not None:
                shared_memory[: pixels.nbytes] = pixels.tobytes()
            daemon.sendall(json.dumps(reply).encode())


def _decode(fd: int, task: Task) -> tuple[PictureReply | ErrorReply, Pixels | None]:
    sandbox.allow_cpu(task.cpu_s)
    try:
        with os.fdopen(fd, "rb") as file:
            file.seek(0)  # the daemon has read from the same open file
            source = file if os.fstat(fd).st_size > WHOLE_FILE_BYTES else file.read()
            picture = decode(source, task.fit, task.max_pixels)
    except ImageError as error:
        return ErrorReply(kind=error.kind, message=str(error)[:_ERROR_CHARS]), None
    except MemoryError:
        return ErrorReply(kind=ImageErrorKind.TOO_LARGE, message="there is too little memory to decode it"), None
    except OSError as error:
        if error.errno is None:
            raise
        return ErrorReply(errno=error.errno), None
    return _reply(picture), picture.pixels


def _reply(picture: Picture) -> PictureReply:
    rows, columns, _ = picture.pixels.shape
    return PictureReply(
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
