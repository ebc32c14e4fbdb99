"""Decoder processes, and a picture that takes them seconds."""

import struct
from pathlib import Path


def slow_picture() -> bytes:
    """Returns a BMP that takes seconds to decode: Pillow decodes its runs of one pixel in Python."""
    side, colours = 4000, 256
    start = 14 + 40 + 4 * colours
    runs = (b"\x01\x80" * side + b"\0\0") * side + b"\0\1"
    header = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    return (
        header
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, colours, 0)
        + bytes(4 * colours)
        + runs
    )


def worker_pids(daemon: int) -> set[int]:
    return {int(pid) for path in Path(f"/proc/{daemon}/task").glob("*/children") for pid in path.read_text().split()}
