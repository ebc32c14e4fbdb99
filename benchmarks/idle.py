"""`python -m benchmarks.idle`: what a daemon without photos costs: CPU of it and its decoders, and how often they wake up."""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.machine import machine
from benchmarks.memory import children
from benchmarks.start import FOODSORT, Daemon, pss, seconds

SETTLE_S = 5.0


class Used(NamedTuple):
    """CPU seconds of processes so far, and how often their threads have gone to sleep."""

    seconds: float
    sleeps: int


def main() -> None:
    """Prints the share of a core, wake-ups a second and the memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it is looked at (%(default)s)")
    parser.add_argument("--unload", type=float, default=0.0, help="model.idle_unload_s")
    given = parser.parse_args()
    os.environ |= {"FOODSORT_MODEL__ENGINE": given.engine, "FOODSORT_MODEL__IDLE_UNLOAD_S": str(given.unload)}
    here = machine()
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{here.processor}, {here.cores} cores, load {os.getloadavg()[0]:.1f}; {given.engine}, {given.seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="foodsort-idle-") as folder:
        root = Path(folder, "root")
        seconds(*FOODSORT, "init", str(root))
        with Daemon(root) as daemon:
            time.sleep(SETTLE_S + given.unload)
            pids = [daemon.process.pid, *children(daemon.process.pid)]
            before, begun = used(pids), time.monotonic()
            time.sleep(given.seconds)
            after, took = used(pids), time.monotonic() - begun
            memory = sum(map(pss, pids))
    share = (after.seconds - before.seconds) / took
    say(f"{share:.3%} of a core, {(after.sleeps - before.sleeps) / took:.1f} wake-ups a second, {memory:.0f} MB PSS")


def used(pids: list[int]) -> Used:
    """Of all threads of these processes, by the scheduler's own nanoseconds: ticks are too coarse for so little."""
    spent, sleeps = 0, 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
            status = (task / "status").read_text().split()
            sleeps += int(status[status.index("voluntary_ctxt_switches:") + 1])
    return Used(spent / 1e9, sleeps)


if __name__ == "__main__":
    main()
