"""`python -m benchmarks.start`: start-up time of commands and of the daemon, and the memory of a daemon that sorts."""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.memory import recorded
from benchmarks.process import FOODSORT, Daemon, children, proportional_set_mb, run_python
from benchmarks.workloads import DEFAULT_PHOTOS, WORKLOADS, write_photos

WARM_UP_PHOTOS = 16
SAMPLE_S = 0.1


def main() -> None:
    """Prints the table; exits with 1 and a message if the photos are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--photos", type=Path, default=DEFAULT_PHOTOS, help="folder with web/ (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="engine that runs the model (default: %(default)s)")
    parser.add_argument(
        "--number", type=int, default=300, help="photos sorted while memory is measured (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="starts of each command (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ["FOODSORT_MODEL__ENGINE"] = arguments.engine
    this_machine = machine()
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{this_machine.describe()}, {' '.join(this_machine.flags)}")
    with tempfile.TemporaryDirectory(prefix="foodsort-start-") as folder:
        root = Path(folder, "root")
        try:
            photos = write_photos(WORKLOADS["web"], arguments.number, arguments.photos, Path(folder, "photos"))
        except FileNotFoundError as error:
            parser.exit(1, f"benchmarks: {error}\n")
        run_python(*FOODSORT, "init", str(root))
        for photo in photos[:WARM_UP_PHOTOS]:  # so that `results` has rows to show
            photo.rename(root / "inbox" / photo.name)
        run_python(*FOODSORT, "run", "--once", "--root", str(root))
        output.print(measure_starts(root, arguments.rounds))
        output.print(f"PSS of the daemon and its decoders together: {measure_memory(root, photos[WARM_UP_PHOTOS:])}")


def measure_starts(root: Path, rounds: int) -> Table:
    """Measures the median, fastest and slowest start of each command; the commands alternate."""
    at_root = ("--root", str(root))
    commands = {
        "python -c pass": ("-c", "pass"),
        "foodsort --help": (*FOODSORT, "--help"),
        "foodsort results": (*FOODSORT, "results", *at_root),
        "foodsort status": (*FOODSORT, "status", *at_root),
        "foodsort doctor --quick": (*FOODSORT, "doctor", "--quick", *at_root),
        "foodsort undo --last --dry-run": (*FOODSORT, "undo", "--last", "--dry-run", *at_root),
    }
    daemon_row = "foodsort run, until READY"
    seconds: dict[str, list[float]] = {name: [] for name in (*commands, daemon_row)}
    for _ in range(rounds):
        for name, arguments in commands.items():
            seconds[name].append(run_python(*arguments))
        with Daemon(root) as daemon:
            seconds[daemon_row].append(daemon.ready_s)
    table = Table("command", "median, s", "fastest, s", "slowest, s")
    for name, times in seconds.items():
        table.add_row(name, f"{statistics.median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}")
    return table


def measure_memory(root: Path, photos: list[Path]) -> str:
    """Measures the PSS of the daemon and its decoders at READY, and its peak while photos are sorted."""
    with Daemon(root) as daemon:
        pid = daemon.process.pid
        rows_before = recorded(root)
        idle = _memory(pid)
        peak = [0.0]
        for photo in photos:
            photo.rename(root / "inbox" / photo.name)
        while recorded(root) < rows_before + len(photos) and daemon.process.poll() is None:
            peak = max(peak, _memory(pid), key=sum)
            time.sleep(SAMPLE_S)
    daemon_mb, *decoders_mb = peak
    decoders = " + ".join(f"{mb:.0f}" for mb in decoders_mb)
    return (
        f"{sum(idle):.0f} MB at READY, at most {sum(peak):.0f} MB over {len(photos)} photos "
        f"({daemon_mb:.0f} and {decoders})"
    )


def _memory(pid: int) -> list[float]:
    return [proportional_set_mb(one) for one in (pid, *children(pid))]


if __name__ == "__main__":
    main()
