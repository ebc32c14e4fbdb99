"""Photos dropped by writers of several kinds while the daemon is killed again and again; then everything is counted.

`make soak`, or `python -m tests.programs.soak --photos 100 --kills 10` for a short one. The scripted engine
runs, since the network has no part in this.
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

NAMES = 40
"""Names a sub-folder; there are more photos than that, so the same name comes again and again."""


@dataclass
class Tally:
    """What was done to the daemon, and what was found afterwards."""

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

    @property
    def sound(self) -> bool:
        """Whether each photo is in exactly one place, unchanged, with exactly one row."""
        wrong = (self.lost, self.doubled, self.without_row, self.rows_too_many, self.times_changed, self.left_claimed)
        return not any(wrong)


class Soak:
    """One root, its daemon, and the photos that were dropped there."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.inbox = root, root / "inbox"
        self.inbox.mkdir(parents=True)
        self._random = random.Random(seed)
        self._outside = root / "outside"
        self._outside.mkdir()
        self.dropped: dict[str, int] = {}
        """sha256 of each photo and its mtime in ns."""
        self.tally = Tally()

    def run(self, photos: int, kills: int) -> Tally:
        """Drops the photos in portions, one a life of the daemon, and kills it each time; the last life may finish."""
        for life in range(kills):
            daemon = self._start("run")
            for _ in range(photos * (life + 1) // kills - photos * life // kills):
                self._drop()
            self._kill(daemon)
        if self._start("run", "--once").wait(600) != 0:
            raise SystemExit(f"the last life of the daemon failed; see {self.root}/daemon.log")
        self._count()
        return self.tally

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "daemon", *words, "--root", str(self.root)]
        with (self.root / "daemon.log").open("ab") as log:
            return subprocess.Popen(command, env=os.environ | FAST, stdout=log, stderr=log, start_new_session=True)

    def _drop(self) -> None:
        """One photo, as a program writes it in pieces, as rsync renames it into place, or moved in from elsewhere."""
        number = len(self.dropped)
        data = _photo(self._random, number)
        mtime_ns = self._random.randrange(10**18, 10**18 + 10**15)
        path = self._free_path()
        way = self._random.choice(["pieces", "renamed", "moved in"])
        written = {"pieces": path, "renamed": path.with_name(f".{path.name}.{number}"), "moved in": self._outside / "x"}
        with written[way].open("xb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            file.write(data[len(data) // 2 :])
            file.flush()
            os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        if way != "pieces":
            written[way].rename(path)
        self.dropped[hashlib.sha256(data).hexdigest()] = mtime_ns
        self.tally.photos += 1

    def _free_path(self) -> Path:
        while True:
            path = self.inbox / f"trip {self._random.randrange(3)}" / f"{self._random.randrange(NAMES)}.jpg"
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                return path

    def _kill(self, daemon: "subprocess.Popen[bytes]") -> None:
        """Kills the daemon, or it and all its children: soon after it has claimed photos, or at any moment of its start."""
        patience = time.monotonic() + 20
        if self._random.random() < 0.8:
            while not self._claimed(daemon.pid) and time.monotonic() < patience:
                if daemon.poll() is not None:
                    raise SystemExit(f"the daemon ended by itself; see {self.root}/daemon.log")
                time.sleep(0.0005)
            time.sleep(self._random.choice([0, 0.001, 0.01, 0.05]) * self._random.random())
        else:
            time.sleep(1.5 * self._random.random())
        if self._random.random() < 0.5:
            os.killpg(daemon.pid, signal.SIGKILL)
            self.tally.of_group += 1
        else:
            daemon.kill()
        daemon.wait()
        self.tally.kills += 1
        self.tally.while_claimed += bool(self._claimed())

    def _claimed(self, pid: int | None = None) -> list[str]:
        """Names of the photos in the claim folder, those of one life alone when its process is named."""
        lives = self.inbox.glob(f".foodsort/claimed/*-{pid or '*'}")
        return [name for life in lives for _, _, names in os.walk(life) for name in names]

    def _count(self) -> None:
        places: dict[str, list[Path]] = {}
        for folder in ("inbox", "food", "non_food", "failed"):
            for path in (self.root / folder).rglob("*.jpg"):
                places.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(path)
        with closing(sqlite3.connect(self.root / "foodsort.db")) as database:
            rows = database.execute("SELECT sha256, path FROM results WHERE state = 'filed'").fetchall()
            total = database.execute("SELECT count(*) FROM photos").fetchone()[0]
        recorded = set(rows)
        tally = self.tally
        tally.lost = len(self.dropped.keys() - places.keys())
        tally.doubled = sum(len(paths) - 1 for paths in places.values()) + len(places.keys() - self.dropped.keys())
        tally.rows_too_many = total - len(self.dropped)
        tally.left_claimed = len(self._claimed())
        for sha256, (path, *_) in places.items():
            tally.without_row += (sha256, str(path.relative_to(self.root))) not in recorded
            tally.times_changed += path.stat().st_mtime_ns != self.dropped.get(sha256)


def _photo(chance: random.Random, number: int) -> bytes:
    side = chance.choice([48, 200, 700])
    file = io.BytesIO()
    Image.new("RGB", (side, side), (chance.choice([40, 200]), 90, 120)).save(file, "JPEG")
    return file.getvalue() + b"%08d" % number  # after the picture's end, where decoders don't look


def main() -> None:
    """Runs a soak in a temporary folder and prints its tally; ends with 1 when a photo was lost or doubled."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--photos", type=int, default=2000)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = Soak(Path(folder) / "root", asked.seed).run(asked.photos, asked.kills)
    print(*(f"{name.replace('_', ' '):14} {count}" for name, count in vars(tally).items()), sep="\n")  # noqa: T201
    sys.exit(not tally.sound)


if __name__ == "__main__":
    main()
