"""A daemon in a process of its own, and measurements of processes from /proc."""

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

FOODSORT = ("-c", "from daemon.cli import app; app()")
"""Arguments for Python that do the same as the console script."""
READY_TIMEOUT_S = 300.0


class Daemon:
    """A daemon on a root, from READY=1 on.

    Attributes:
        process: Its process.
        ready_s: Seconds from its start to READY=1.
    """

    def __init__(self, root: Path) -> None:
        """Starts the daemon and waits until it is ready; exits this process if that takes over READY_TIMEOUT_S."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
            address = f"{folder}/notify"
            notifications.bind(address)
            notifications.settimeout(READY_TIMEOUT_S)
            start = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, *FOODSORT, "run", "--root", str(root)],
                env=os.environ | {"NOTIFY_SOCKET": address},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while (message := notifications.recv(256)) != b"READY=1":
                if message == b"STOPPING=1":
                    sys.exit("benchmarks: the daemon ended before it was ready; run `foodsort run` to see why")
            self.ready_s = time.perf_counter() - start

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


class CpuUse(NamedTuple):
    """CPU use of processes since their start.

    Attributes:
        seconds: CPU seconds.
        sleeps: How often their threads have gone to sleep.
    """

    seconds: float
    sleeps: int


def run_python(*arguments: str) -> float:
    """Runs a Python process without output; returns its wall-clock seconds from start to end."""
    start = time.perf_counter()
    # No check: `status` exits with 1 if no daemon is running.
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def children(pid: int) -> list[int]:
    """Returns the child processes of a process."""
    lists = (Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task"))
    return [int(child) for child in itertools.chain.from_iterable(map(str.split, lists))]


def resident_mib(pid: int) -> float:
    """Returns the resident memory of a process in MiB, 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_resident_mb(pid: int) -> float:
    """Returns the peak resident memory of a process in MB; see proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def proportional_set_mb(pid: int) -> float:
    """Returns the proportional set size (PSS) of a process in MB, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0)


def core_seconds(pid: int) -> float:
    """Returns the CPU seconds of a process and its children, including ended ones; see proc_pid_stat(5)."""
    own, *others = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *children(pid)))
    ticks = [*own[11:15], *(tick for other in others for tick in other[11:13])]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def cpu_use(pids: list[int]) -> CpuUse:
    """Returns the CPU use of all threads of these processes, from the scheduler's nanoseconds; ticks are too coarse."""
    nanoseconds = 0
    sleeps = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            nanoseconds += int((task / "schedstat").read_text().split()[0])
            status = (task / "status").read_text().split()
            sleeps += int(status[status.index("voluntary_ctxt_switches:") + 1])
    return CpuUse(seconds=nanoseconds / 1e9, sleeps=sleeps)
