"""What runs in a decoder's process: photos come as descriptors, pixels go back through a slab of memory.

Messages are JSON over a socket that keeps their bounds. First comes the Task with the slab, then one photo at a time.
"""

import gc
import json
import mmap
import os
import signal
import socket
from dataclasses import asdict, dataclass
from typing import Any

from PIL import AvifImagePlugin
from pillow_heif import options

from daemon.decoders import sandbox
from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, Pixels, Within, decode

MESSAGE_BYTES = 4096
_TEXT_CHARS = 500  # of an error, so that the message holds it however it is escaped
_WHOLE_BYTES = 64 << 20  # larger files are read from the page cache, again and again, rather than held in memory


@dataclass(frozen=True)
class Task:
    """What a worker is told once. parent: the daemon's process id; cpu_s: processor seconds for one photo."""

    parent: int
    fit: Fit | Within
    max_pixels: int
    cpu_s: float

    def dump(self) -> bytes:
        """As a message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, message: bytes) -> "Task":
        """From a message."""
        said = json.loads(message)
        fit = said["fit"]
        return cls(**said | {"fit": Fit(**fit) if "mode" in fit else Within(**fit)})


def main() -> None:
    """Decodes photos until the socket, which is standard input, is closed."""
    # A terminal's Ctrl-C and systemd's stop reach every process, but when to end is for the daemon to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # There is a worker for each core already.
    options.DECODE_THREADS = AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with socket.socket(fileno=0) as daemon:
        message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
        if not message:
            return
        task = Task.load(message)
        sandbox.die_with(task.parent)
        slab = mmap.mmap(fds[0], 0)
        os.close(fds[0])
        network = sandbox.confine(task.max_pixels)
        gc.freeze()
        daemon.sendall(json.dumps({"ready": True, "network": network}).encode())
        while True:
            message, fds, _, _ = socket.recv_fds(daemon, MESSAGE_BYTES, 1)
            if not message:
                return
            answer, pixels = _answer(fds[0], task)
            if pixels is not None:
                slab[: pixels.nbytes] = pixels.tobytes()
            daemon.sendall(json.dumps(answer).encode())


def _answer(fd: int, task: Task) -> tuple[dict[str, Any], Pixels | None]:
    sandbox.allow_cpu(task.cpu_s)
    try:
        with os.fdopen(fd, "rb") as file:
            file.seek(0)  # the daemon has read it through the same open file
            source = file if os.fstat(fd).st_size > _WHOLE_BYTES else file.read()
            picture = decode(source, task.fit, task.max_pixels)
    except ImageError as error:
        return {"kind": error.kind, "message": str(error)[:_TEXT_CHARS]}, None
    except MemoryError:
        return {"kind": ImageErrorKind.TOO_LARGE, "message": "there is too little memory to decode it"}, None
    except OSError as error:
        if error.errno is None:
            raise
        return {"errno": error.errno}, None
    said = {"format": picture.format, "width": picture.width, "height": picture.height}
    taken = {name: getattr(picture.exif, name) for name in ("taken_at", "taken_offset", "camera")}
    return said | {"exif": taken, "shape": picture.pixels.shape[:2]}, picture.pixels
