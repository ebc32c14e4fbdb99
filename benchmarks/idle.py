"""`python -m benchmarks.idle`: CPU use, wake-ups and memory of an idle daemon and its decoders."""

import argparse
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.machine import machine
from benchmarks.process import FOODSORT, Daemon, children, cpu_use, proportional_set_mb, run_python

SETTLE_S = 5.0


def main() -> None:
    """Prints the share of a core, wake-ups a second and the memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--engine", default="auto", help="engine that runs the model (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="duration of the measurement (default: %(default)s)"
    )
    parser.add_argument("--unload", type=float, default=0.0, help="model.idle_unload_s (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ["FOODSORT_MODEL__ENGINE"] = arguments.engine
    os.environ["FOODSORT_MODEL__IDLE_UNLOAD_S"] = str(arguments.unload)
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{machine().describe()}; {arguments.engine}, {arguments.seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="foodsort-idle-") as folder:
        root = Path(folder, "root")
        run_python(*FOODSORT, "init", str(root))
        with Daemon(root) as daemon:
            time.sleep(SETTLE_S + arguments.unload)
            pids = [daemon.process.pid, *children(daemon.process.pid)]
            before = cpu_use(pids)
            begin = time.monotonic()
            time.sleep(arguments.seconds)
            after = cpu_use(pids)
            duration = time.monotonic() - begin
            memory = sum(map(proportional_set_mb, pids))
    share = (after.seconds - before.seconds) / duration
    wakeups = (after.sleeps - before.sleeps) / duration
    output.print(f"{share:.3%} of a core, {wakeups:.1f} wake-ups a second, {memory:.0f} MB PSS")


if __name__ == "__main__":
    main()
