"""`python -m benchmarks.start`: how soon commands and the daemon are there, and the memory of a daemon that sorts."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import race
from benchmarks.machine import machine
from benchmarks.memory import children, recorded
from benchmarks.workloads import WORKLOADS, lay

PHOTOS = race.PROJECT.parent / "shared/data/bench"
FOODSORT = ("-c", "from daemon.cli import app; app()")
"""What the console script does."""
WARMING = 16
SAMPLE_S = 0.1
PATIENCE_S = 300.0


def main() -> None:
    """Prints the table; exits 1 with a message where the photos are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder with web/")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--number", type=int, default=300, help="photos sorted while memory is looked at")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is started")
    given = parser.parse_args()
    os.environ["FOODSORT_MODEL__ENGINE"] = given.engine
    here = machine()
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{here.processor}, {here.cores} cores, {' '.join(here.flags)}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="foodsort-start-") as folder:
        root = Path(folder, "root")
        try:
            photos = lay(WORKLOADS["web"], given.number, given.photos, Path(folder, "photos"))
        except FileNotFoundError as error:
            parser.exit(1, f"benchmarks: {error}\n")
        seconds(*FOODSORT, "init", str(root))
        for photo in photos[:WARMING]:  # so that `results` has something to show
            photo.rename(root / "inbox" / photo.name)
        seconds(*FOODSORT, "run", "--once", "--root", str(root))
        say(
            starts(root, given.rounds), f"the daemon's and its decoders' PSS together: {memory(root, photos[WARMING:])}"
        )


def starts(root: Path, rounds: int) -> Table:
    """Median, fastest and slowest start of each, in turn."""
    at = ("--root", str(root))
    commands = {
        "python -c pass": ("-c", "pass"),
        "foodsort --help": (*FOODSORT, "--help"),
        "foodsort results": (*FOODSORT, "results", *at),
        "foodsort status": (*FOODSORT, "status", *at),
        "foodsort doctor --quick": (*FOODSORT, "doctor", "--quick", *at),
        "foodsort undo --last --dry-run": (*FOODSORT, "undo", "--last", "--dry-run", *at),
    }
    took: dict[str, list[float]] = {name: [] for name in (*commands, "foodsort run, until READY")}
    for _ in range(rounds):
        for name, words in commands.items():
            took[name].append(seconds(*words))
        with Daemon(root) as daemon:
            took["foodsort run, until READY"].append(daemon.ready_s)
    table = Table("what", "median, s", "fastest, s", "slowest, s")
    for name, times in took.items():
        table.add_row(name, *(f"{value:.3f}" for value in (statistics.median(times), min(times), max(times))))
    return table


def seconds(*words: str) -> float:
    """Seconds from start to end of a Python process; its output is thrown away."""
    start = time.perf_counter()
    # `status` ends with 1 where no daemon runs.
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


class Daemon:
    """A daemon on a root in a process of its own, from READY=1 on; `ready_s` is what it took to there."""

    def __init__(self, root: Path) -> None:
        """Starts it and waits until it is ready. Ends this process when it is not within PATIENCE_S."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(address := f"{folder}/notify")
            told.settimeout(PATIENCE_S)
            start = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, *FOODSORT, "run", "--root", str(root)],
                env=os.environ | {"NOTIFY_SOCKET": address},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while (state := told.recv(256)) != b"READY=1":
                if state == b"STOPPING=1":
                    sys.exit("benchmarks: the daemon ended before it was ready; `foodsort run` says why")
            self.ready_s = time.perf_counter() - start

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def memory(root: Path, photos: list[Path]) -> str:
    """What daemon and decoders share fairly of memory, at READY and at most while photos are sorted."""
    with Daemon(root) as daemon:
        pid, before = daemon.process.pid, recorded(root)
        idle, most = [pss(one) for one in (pid, *children(pid))], [0.0]
        for photo in photos:
            photo.rename(root / "inbox" / photo.name)
        while recorded(root) < before + len(photos) and daemon.process.poll() is None:
            most = max(most, [pss(one) for one in (pid, *children(pid))], key=sum)
            time.sleep(SAMPLE_S)
    return (
        f"{sum(idle):.0f} MB at READY, at most {sum(most):.0f} MB over {len(photos)} photos "
        f"({most[0]:.0f} and {' + '.join(f'{one:.0f}' for one in most[1:])})"
    )


def pss(pid: int) -> float:
    """Memory of a process in MB, of what it shares with others its share; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
