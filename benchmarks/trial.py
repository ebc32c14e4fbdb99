"""One run of one competitor: a new folder, a new process, and a check that the photos were sorted."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.competitors import Competitor
from benchmarks.stage_costs import StageCosts
from benchmarks.throughput import RunTime
from benchmarks.workloads import PROJECT

Labels = dict[str, str]
"""Labels by the name of the photo."""


class TrialFailed(Exception):
    """Raised when a program ended with an error or has not sorted all photos."""


def run(competitor: Competitor, photos: list[Path], exported: Path) -> tuple[RunTime, Labels]:
    """Runs a competitor on photos in a temporary folder beside `exported`.

    The photos are hard-linked, not copied: all runs read the same files, and none waits for pending writes.

    Args:
        competitor: The competitor.
        photos: The photos.
        exported: Folder with the exported networks.

    Raises:
        TrialFailed: The program failed, or its result is wrong.
    """
    with tempfile.TemporaryDirectory(dir=exported.parent) as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for photo in photos:
            os.link(photo, root / "inbox" / photo.name)
        core_begin = _core_seconds()
        begin = time.perf_counter()
        execute(competitor.command(root, exported), competitor.environment)
        run_time = RunTime(seconds=time.perf_counter() - begin, core_seconds=_core_seconds() - core_begin)
        return run_time, _read_labels(root, {photo.name for photo in photos})


def execute(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Runs a command in the project's folder.

    Args:
        command: The command.
        variables: The only settings of foodsort in its environment.

    Returns:
        Its standard output.

    Raises:
        TrialFailed: It ended with an error; the message has its last line on stderr.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FOODSORT_")}
    environment = inherited | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"} | (variables or {})
    process = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if process.returncode:
        errors = process.stderr.strip().splitlines() or ["no error message"]
        raise TrialFailed(f"exit code {process.returncode}: {errors[-1]}")
    return process.stdout


def measure_stage_costs(photos: Path) -> StageCosts:
    """Runs `benchmarks.stage_costs` in a process of its own. Raises TrialFailed."""
    return StageCosts(**json.loads(execute([sys.executable, "-m", "benchmarks.stage_costs", str(photos)])))


def _core_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _read_labels(root: Path, names: set[str]) -> Labels:
    """Returns the label of each photo by its folder. Raises TrialFailed if a photo was not moved or its row differs."""
    moved = {path.name: label for label in ("food", "non_food") for path in (root / label).glob("*")}
    if moved.keys() != names:
        raise TrialFailed(f"{len(names - moved.keys())} of {len(names)} photos were not moved")
    rows = []
    for file in root.glob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            rows += database.execute("SELECT name, label FROM results").fetchall()
    if sorted(rows) != sorted(moved.items()):
        raise TrialFailed(f"{len(rows)} rows for {len(names)} photos, or rows that do not match the folders")
    return moved
