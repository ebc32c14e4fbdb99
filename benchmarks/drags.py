"""`python -m benchmarks.drags`: cost of the search for photos that were moved by hand, and how soon one is found."""

import argparse
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from rich.console import Console

from benchmarks.machine import machine
from benchmarks.process import FOODSORT, Daemon, children, cpu_use, run_python
from daemon.actions.context import Actions
from daemon.database import addresses, connections
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, PhotoRow, PriorRecord
from daemon.database.timestamps import format_mtime
from daemon.drags.follower import DragFollower
from daemon.drags.rescan import Rescan
from daemon.drags.tree import FolderTree
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.settings import load
from models.bundle import Bundle

_FOLDER_PHOTOS = 1_000
_BATCH = 1_000
_FOUND_TIMEOUT_S = 120.0


def main() -> None:
    """Prints the CPU time of scans, the CPU use of an idle daemon, and the delay until moves are found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drags", description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000, help="sorted photos (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the idle time (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ["FOODSORT_MODEL__ENGINE"] = "scripted"
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{machine().describe()}; {arguments.photos} photos, {_FOLDER_PHOTOS} in a folder")
    with tempfile.TemporaryDirectory(prefix="foodsort-drags-") as folder:
        root = Path(folder, "root")
        run_python(*FOODSORT, "init", str(root))
        fill(root, arguments.photos)
        for name, seconds in scans(root):
            output.print(f"{name}: {seconds:.3f} s of CPU time")
        with Daemon(root) as daemon:
            _wait_until_idle(daemon.process.pid)
            share, sleeps = _idle(daemon.process.pid, arguments.seconds)
            output.print(f"idle: {share:.3%} of a core, {sleeps:.1f} wake-ups a second")
            for name, seconds in moves(root):
                output.print(f"{name}: found after {seconds:.1f} s")


def fill(root: Path, photos: int) -> None:
    """Makes small files in the folders of a root, half of them in each, and their rows."""
    engine = connections.connect(addresses.database_url(root, ""))
    recorder = Recorder(engine)
    recorder.use_model(Bundle.load())
    for first in range(0, photos, _BATCH):
        rows = [_row(root, number) for number in range(first, min(first + _BATCH, photos))]
        batch = BatchRow(started_at=rows[0].claimed_at, engine="bench", inference_ms=0.0)
        recorded = recorder.begin(batch, rows, [PriorRecord()] * len(rows))
        recorder.finish(recorded.photo_ids)
    engine.dispose()


def _row(root: Path, number: int) -> PhotoRow:
    label = "food" if number // _FOLDER_PHOTOS % 2 else "non_food"
    inbox_path = f"{number // _FOLDER_PHOTOS:05}/{number:08}.jpg"
    path = root / label / inbox_path
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"%08d" % number + bytes(number % 997)
    path.write_bytes(data)
    stat = path.stat()
    modified_at = format_mtime(stat.st_mtime_ns)
    return PhotoRow(
        path=os.fsencode(f"{label}/{inbox_path}"),
        inbox_path=os.fsencode(inbox_path),
        run_id="1-1",
        identity=dirfd.identity(stat),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        modified_at=modified_at,
        claimed_at=modified_at,
        classified_at=modified_at,
        probability=0.5,
        logit=0.0,
        predicted_label="food" if label == "food" else "non_food",
    )


def scans(root: Path) -> Iterator[tuple[str, float]]:
    """Yields the CPU seconds of scans in this process."""
    settings = load(root)
    engine = connections.connect(addresses.database_url(root, ""))
    with closing(Claims(root / settings.folders.inbox)) as claims:
        follower = DragFollower(root, settings, Actions.of(root, settings.folders, claims, engine), engine)
        tops = [os.fsencode(root / name) for name in ("food", "non_food")]
        tree = FolderTree(
            tops, lambda path: False, lambda path: None, lambda path: None, wall_ns=lambda: time.time_ns() + 10**12
        )
        rescan = Rescan(tree, follower, lambda places: None)
        yield "first scan", _cpu_s(lambda: list(rescan.run(everything=True)))
        yield "scan, nothing has changed", _cpu_s(lambda: list(rescan.run(everything=False)))
        (root / "food/new.txt").touch()
        yield "scan, a folder has changed", _cpu_s(lambda: list(rescan.run(everything=False)))
        lost = next((root / "food").rglob("*.jpg"))
        lost.rename(root / "away.jpg")
        yield "scan, a photo is gone", _cpu_s(lambda: list(rescan.run(everything=False)))
        (root / "away.jpg").rename(lost)
    engine.dispose()


def moves(root: Path) -> Iterator[tuple[str, float]]:
    """Yields the delays until moves beside a daemon are found (s)."""
    photo = next((root / "non_food").rglob("*.jpg"))
    photo.rename(root / "food" / photo.name)
    yield "one photo moved", _found_s(root, 1)
    folder = next(path for path in (root / "non_food").iterdir() if path != photo.parent)
    count = len(list(folder.iterdir()))
    folder.rename(root / "food" / f"moved {folder.name}")
    yield f"a folder of {count} photos moved", _found_s(root, 1 + count)


def _found_s(root: Path, labels: int) -> float:
    begin = time.monotonic()
    with closing(sqlite3.connect(root / "foodsort.db")) as database:
        while database.execute("SELECT count(*) FROM reviews").fetchone()[0] < labels:
            if time.monotonic() > begin + _FOUND_TIMEOUT_S:
                raise SystemExit("benchmarks: the daemon has not found the move")
            time.sleep(0.05)
    return time.monotonic() - begin


def _cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _wait_until_idle(pid: int) -> None:
    """Waits until the scan at the start is done."""
    while _idle(pid, 5.0)[0] > 0.02:
        pass


def _idle(pid: int, seconds: float) -> tuple[float, float]:
    """The share of a core and the wake-ups a second of a process and its children."""
    pids = [pid, *children(pid)]
    before = cpu_use(pids)
    time.sleep(seconds)
    after = cpu_use(pids)
    return (after.seconds - before.seconds) / seconds, (after.sleeps - before.sleeps) / seconds


if __name__ == "__main__":
    main()
