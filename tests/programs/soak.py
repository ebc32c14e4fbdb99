"""Soak test: writers of several kinds drop photos while the daemon is killed again and again; then all is audited.

`make soak`, or `python -m tests.programs.soak --photos 100 --kills 10` for a short run. The scripted engine runs:
the network plays no part in this.
"""

import argparse
import hashlib
import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.daemon.conftest import FAST

_LABELS = ("food", "non_food")
_MOVED = 0.2
"""Photos moved by hand for each one that is dropped."""
NAMES = 40
"""Names in a sub-folder; there are more photos than names, so that names repeat."""


@dataclass
class Audit:
    """Counts of the kills and of the faults afterwards."""

    photos: int = 0
    kills: int = 0
    of_group: int = 0
    while_claimed: int = 0
    lost: int = 0
    doubled: int = 0
    without_row: int = 0
    rows_too_many: int = 0
    times_changed: int = 0
    left_claimed: int = 0
    moved_by_hand: int = 0
    wrong_labels: int = 0
    """Photos in the folder of another label than they have, after a person has moved some."""
    originals_lost: int = 0
    """Of photos that are copied: not in the inbox any more, or changed there."""

    @property
    def sound(self) -> bool:
        """Whether each photo is in exactly one place, unchanged, with exactly one row."""
        faults = (self.lost, self.doubled, self.without_row, self.rows_too_many, self.times_changed, self.left_claimed)
        return not any(faults) and not self.originals_lost and not self.wrong_labels


class Soak:
    """One root, its daemon, and the photos dropped there."""

    def __init__(self, root: Path, seed: int, *, copies: bool = False) -> None:
        """Prepares a root. copies: whether photos stay in the inbox and copies are sorted."""
        self.root = root
        self._copies = copies
        self._environment = os.environ | FAST | ({"FOODSORT_WATCH__TAKE": "copy"} if copies else {})
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True)
        self._random = random.Random(seed)
        self._outside = root / "outside"
        self._outside.mkdir()
        self.dropped: dict[str, int] = {}
        """Modification time (ns) of each photo, by sha256."""
        self.audit = Audit()

    def run(self, photos: int, kills: int) -> Audit:
        """Drops a portion of the photos in each run of the daemon and kills it; the last run may finish."""
        for cycle in range(kills):
            daemon = self._start("run")
            for _ in range(photos * (cycle + 1) // kills - photos * cycle // kills):
                self._drop()
                if self._random.random() < _MOVED:
                    self._move_by_hand()
            self._kill(daemon)
        if self._start("run", "--once").wait(600) != 0:
            raise SystemExit(f"the last run of the daemon failed; see {self.root}/daemon.log")
        self._count()
        return self.audit

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "daemon", *words, "--root", str(self.root)]
        with (self.root / "daemon.log").open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def _drop(self) -> None:
        """Drops one photo: written in pieces, renamed into place as rsync does, or moved in from another folder."""
        number = len(self.dropped)
        data = _photo(self._random, number)
        mtime_ns = self._random.randrange(10**18, 10**18 + 10**15)
        path = self._free_path()
        method = self._random.choice(["pieces", "renamed", "moved in"])
        targets = {"pieces": path, "renamed": path.with_name(f".{path.name}.{number}"), "moved in": self._outside / "x"}
        with targets[method].open("xb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            file.write(data[len(data) // 2 :])
            file.flush()
            os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        if method != "pieces":
            targets[method].rename(path)
        self.dropped[hashlib.sha256(data).hexdigest()] = mtime_ns
        self.audit.photos += 1

    def _move_by_hand(self) -> None:
        """Moves a sorted photo to the folder of the other label, under a new name."""
        sorted_photos = [path for name in _LABELS for path in (self.root / name).rglob("*.jpg")]
        if not sorted_photos:
            return
        photo = self._random.choice(sorted_photos)
        label, folder = photo.relative_to(self.root).parts[:2]
        target = self.root / _LABELS[1 - _LABELS.index(label)] / folder / f"moved {self.audit.moved_by_hand}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        photo.rename(target)
        self.audit.moved_by_hand += 1

    def _free_path(self) -> Path:
        names = 1000 * NAMES if self._copies else NAMES
        while True:
            path = self.inbox / f"trip {self._random.randrange(3)}" / f"{self._random.randrange(names)}.jpg"
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                return path

    def _kill(self, daemon: "subprocess.Popen[bytes]") -> None:
        """Kills the daemon, alone or with its children: soon after a claim, or at any moment of its start."""
        deadline = time.monotonic() + 20
        if self._random.random() < 0.8:
            while not self._claimed(daemon.pid) and time.monotonic() < deadline:
                if daemon.poll() is not None:
                    raise SystemExit(f"the daemon ended by itself; see {self.root}/daemon.log")
                time.sleep(0.0005)
            time.sleep(self._random.choice([0, 0.001, 0.01, 0.05]) * self._random.random())
        else:
            time.sleep(1.5 * self._random.random())
        if self._random.random() < 0.5:
            os.killpg(daemon.pid, signal.SIGKILL)
            self.audit.of_group += 1
        else:
            daemon.kill()
        daemon.wait()
        self.audit.kills += 1
        self.audit.while_claimed += bool(self._claimed())

    def _claimed(self, pid: int | None = None) -> list[str]:
        """Names of the photos in the claim folder, of all runs or of one process."""
        runs = self.inbox.glob(f".foodsort/claimed/*-{pid or '*'}{'-copy' if self._copies else ''}")
        return [name for run in runs for _, _, names in os.walk(run) for name in names]

    def _count(self) -> None:
        places: dict[str, list[Path]] = {}
        if self._copies:
            self._count_originals()
        for folder in ("food", "non_food", "failed", *(() if self._copies else ("inbox",))):
            for path in (self.root / folder).rglob("*.jpg"):
                places.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(path)
        with closing(sqlite3.connect(self.root / "foodsort.db")) as database:
            rows = database.execute("SELECT sha256, path FROM results WHERE state = 'filed'").fetchall()
            labels = database.execute("SELECT label, path FROM results WHERE state = 'filed'").fetchall()
            total = database.execute("SELECT count(*) FROM photos").fetchone()[0]
        recorded = set(rows)
        audit = self.audit
        audit.lost = len(self.dropped.keys() - places.keys())
        audit.doubled = sum(len(paths) - 1 for paths in places.values()) + len(places.keys() - self.dropped.keys())
        audit.rows_too_many = total - len(self.dropped)
        audit.wrong_labels = sum(not path.startswith(f"{label}/") for label, path in labels)
        audit.left_claimed = len(self._claimed())
        for sha256, (path, *_) in places.items():
            audit.without_row += (sha256, str(path.relative_to(self.root))) not in recorded
            audit.times_changed += path.stat().st_mtime_ns != self.dropped.get(sha256)

    def _count_originals(self) -> None:
        originals = {
            hashlib.sha256(path.read_bytes()).hexdigest(): path.stat().st_mtime_ns
            for folder in self.inbox.glob("trip *")
            for path in folder.glob("*.jpg")
        }
        self.audit.originals_lost = len(self.dropped.items() ^ originals.items())


def _photo(generator: random.Random, number: int) -> bytes:
    side = generator.choice([48, 200, 700])
    file = io.BytesIO()
    Image.new("RGB", (side, side), (generator.choice([40, 200]), 90, 120)).save(file, "JPEG")
    return file.getvalue() + b"%08d" % number  # after the end of the image, where decoders do not look


def main() -> None:
    """Runs a soak in a temporary folder and prints its audit; exits with 1 when a photo was lost or doubled."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--photos", type=int, default=2000)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--copies", action="store_true", help="photos stay in the inbox, and copies are sorted")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        audit = Soak(Path(folder) / "root", arguments.seed, copies=arguments.copies).run(
            arguments.photos, arguments.kills
        )
    print(*(f"{name.replace('_', ' '):14} {count}" for name, count in vars(audit).items()), sep="\n")  # noqa: T201
    sys.exit(not audit.sound)


if __name__ == "__main__":
    main()
