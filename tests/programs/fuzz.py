"""`python -m tests.programs.fuzz 2000`: pictures of every format, damaged in every way, through the real daemon."""

import argparse
import io
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

from tests.daemon.conftest import FAST, running, until
from tests.models.images import raw_files
from tests.models.images.scenes import encoded
from tests.models.images.tiff_variants import tiff

SHARED = Path(__file__).parents[2].parent / "shared/data"
_OWN_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".heic",
    ".tif",
    ".tiff",
    ".gif",
    ".jxl",
    ".jp2",
    ".dng",
    ".nef",
    ".raf",
    ".cr3",
}
_LARGEST_BYTES = 1 << 20  # of a picture of ../shared, so that a run takes minutes
_HEADER_BYTES = 64
_STEP = 25  # photos between two looks at the memory
_FIELDS = (b"\x00\x00", b"\xff\xff", b"\x7f\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00\x00\x00\x00")


class Report(NamedTuple):
    """Result of a run. ends: files by folder; kinds: failures by kind; daemon_kib, workers_kib: resident, over the run."""

    ends: Counter[str]
    kinds: Counter[str]
    rows: int
    daemon_kib: list[int]
    workers_kib: list[int]


def originals() -> list[tuple[str, bytes]]:
    """(suffix, bytes) of sound pictures in each format, and of the files in ../shared, if it exists."""
    photos = [skimage.data.astronaut(), skimage.data.coffee()]
    photos += [files("sklearn.datasets.images").joinpath("china.jpg").read_bytes()]
    made = []
    for photo in photos:
        image = Image.open(io.BytesIO(photo)) if isinstance(photo, bytes) else Image.fromarray(photo)
        image.thumbnail((320, 320))
        for suffix, options in (
            ("jpg", {"format": "JPEG"}),
            ("jpg", {"format": "JPEG", "progressive": True}),
            ("png", {"format": "PNG"}),
            ("webp", {"format": "WEBP"}),
            ("webp", {"format": "WEBP", "lossless": True}),
            ("heic", {"format": "HEIF"}),
            ("tif", {"format": "TIFF"}),
            ("tif", {"format": "TIFF", "compression": "tiff_lzw"}),
            ("gif", {"format": "GIF"}),
            ("jxl", {"format": "JXL"}),
            ("jp2", {"format": "JPEG2000"}),
            ("avif", {"format": "AVIF"}),
        ):
            file = io.BytesIO()
            image.save(file, **options)
            made.append((suffix, file.getvalue()))
        pixels = np.asarray(image.convert("RGB"))
        wide = raw_files.picture(400, 300)
        made.append(("dng", raw_files.dng(wide)))
        made.append(("dng", raw_files.dng(wide, previews=(raw_files.jpeg(wide, 400),))))
        made.append(("jls", encoded("jpegls", pixels)))
        made.append(("jpg", encoded("jpeg8", pixels.astype(np.uint16) << 4, level=90, bitspersample=12)))
        made += [("tif", data) for data in deep_tiffs(pixels)]
    theirs = [
        path
        for room in ("odd", "raw", "reports")
        for path in sorted(SHARED.glob(f"{room}/*"))
        if path.suffix.lower() in _OWN_SUFFIXES
    ]
    small = [path for path in theirs if 0 < path.stat().st_size <= _LARGEST_BYTES]
    return made + [(path.suffix[1:], path.read_bytes()) for path in small]


def deep_tiffs(pixels: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    """TIFFs that tifffile reads."""
    planes = np.moveaxis(pixels, -1, 0).astype(np.uint16) * 257
    yield tiff(planes, photometric="rgb", planarconfig="separate", compression="zstd")
    yield tiff((pixels / 255).astype(np.float32), photometric="rgb", compression="adobe_deflate", predictor=True)
    yield tiff(pixels, photometric="rgb", compression="jpegxl")
    yield tiff(pixels.astype(np.uint16) * 257, photometric="cielab", tile=(64, 64))


def mutated(data: bytes, random: Random) -> bytes:
    """The bytes after one to three kinds of damage."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(changed))
        match random.choice(("flip", "flip", "cut", "splice", "insert", "header", "header")):
            case "flip":
                for _ in range(random.randint(1, 20)):
                    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            case "cut":
                del changed[max(at, 16) :]
            case "splice":
                start, length = random.randrange(len(changed)), random.randint(1, 2000)
                changed[at : at + length] = changed[start : start + length]
            case "insert":
                changed[at:at] = random.randbytes(random.randint(1, 200))
            case "header":
                field = random.choice(_FIELDS)
                at = random.randrange(min(_HEADER_BYTES, len(changed)))
                changed[at : at + len(field)] = field
    return bytes(changed)


def mutations(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of so many damaged pictures, the same for the same seed."""
    random, sound = Random(seed), originals()
    for number in range(count):
        suffix, data = sound[number % len(sound)]
        # The number makes each one distinct; every format ignores bytes after its end.
        yield f"{number:05}.{suffix}", mutated(data, random) + b"%05d" % number


def run(root: Path, count: int, seed: int) -> Report:
    """Drops the pictures in portions and waits until all have left the inbox. The daemon must not end."""
    photos = list(mutations(count, seed))
    daemon_kib, workers_kib = [], []
    (root / "inbox").mkdir(parents=True, exist_ok=True)
    with running(root) as daemon:
        for start in range(0, count, _STEP):
            for name, data in photos[start : start + _STEP]:
                (root / "inbox" / name).write_bytes(data)
            sent = min(start + _STEP, count)
            until(lambda sent=sent: sum(map(len, _ends(root).values())) >= sent, daemon, 600)  # type: ignore[misc]
            daemon_kib.append(_resident_kib(daemon.pid))
            workers_kib.append(sum(map(_resident_kib, _children(daemon.pid))))
    ends = _ends(root)
    everywhere = sorted(name for names in ends.values() for name in names)
    assert everywhere == sorted(name for name, _ in photos), "a picture is in no place, or in two"
    with closing(sqlite3.connect(root / "foodsort.db")) as database:
        rows = database.execute("SELECT count(*), count(DISTINCT inbox_path) FROM results").fetchone()
        kinds = dict(database.execute("SELECT error_kind, count(*) FROM photos WHERE error_kind > '' GROUP BY 1"))
    assert rows == (count, count), "a picture has no row, or two"
    return Report(
        Counter({folder: len(names) for folder, names in ends.items()}),
        Counter(kinds),
        rows[0],
        daemon_kib,
        workers_kib,
    )


def main() -> None:
    """Prints the counts; ends with an error if a picture was lost or the daemon ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.fuzz", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2000, help="how many mutations")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    os.environ.update(FAST)
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), given.count, given.seed)
    print(f"{report.rows} mutations (seed {given.seed}), each with one place and one row: {dict(report.ends)}")  # noqa: T201
    print(f"failures by kind: {dict(report.kinds.most_common())}")  # noqa: T201
    for name, kib in (("daemon", report.daemon_kib), ("workers", report.workers_kib)):
        first, last = thirds(kib)
        print(f"{name}: {first >> 10} MiB at most in the first third, {last >> 10} MiB in the last")  # noqa: T201
        if not flat(kib):
            parser.exit(1, f"fuzz: the memory of the {name} grew\n")


def thirds(kib: list[int]) -> tuple[int, int]:
    """Largest value of the first third and of the last."""
    third = max(1, len(kib) // 3)
    return max(kib[:third]), max(kib[-third:])


def flat(kib: list[int]) -> bool:
    """Whether memory stayed about the same; pictures of all sizes need different amounts."""
    first, last = thirds(kib)
    return last <= 1.25 * first + (32 << 10)


def _ends(root: Path) -> dict[str, list[str]]:
    """Names of the pictures in each folder, without the sidecars."""
    return {
        folder: [name for name in os.listdir(root / folder) if not name.endswith(".error.json")]
        for folder in ("food", "non_food", "failed")
    }


def _children(pid: int) -> set[int]:
    return {int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()}


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0  # it has just ended


if __name__ == "__main__":
    main()
