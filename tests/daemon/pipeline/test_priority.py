"""Work that must not slow down the daemon."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon.pipeline import priority


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_work_runs_at_the_lowest_priority_and_the_caller_does_not() -> None:
    before = niceness()

    def work(_: threading.Event) -> list[int]:
        with ThreadPoolExecutor(1, initializer=priority.read_last) as readers:
            in_thread = readers.submit(niceness).result()
        code = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
        in_process = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        return [niceness(), in_thread, in_process]

    assert priority.run_apart(work) == [19, 19, 19]
    assert niceness() == before


def test_work_is_stopped_when_the_caller_is_interrupted() -> None:
    caller = threading.get_ident()
    stops: list[bool] = []

    def work(stopped: threading.Event) -> None:
        signal.pthread_kill(caller, signal.SIGINT)
        stops.append(stopped.wait(20))

    with pytest.raises(KeyboardInterrupt):
        priority.run_apart(work)
    assert stops == [True]


def test_an_error_of_the_work_reaches_the_caller() -> None:
    def work(_: threading.Event) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        priority.run_apart(work)
