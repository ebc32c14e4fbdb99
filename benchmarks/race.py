"""One run of one contestant: a fresh folder, a fresh process, and a look at whether the work was done."""

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

from benchmarks.contestants import Contestant
from benchmarks.limit import Cost
from benchmarks.rates import Run

PROJECT = Path(__file__).parents[1]

Labels = dict[str, str]


class Failed(Exception):
    """Raised when a program ended with an error or has not done its work; says how."""


def run(contestant: Contestant, photos: list[Path], exported: Path) -> tuple[Run, Labels]:
    """Has the photos sorted in a temporary folder beside `exported`; what it took, and each photo's label by its name.

    The photos are linked, not copied: all runs find the same files, and none waits for others' writes. Raises Failed.
    """
    with tempfile.TemporaryDirectory(dir=exported.parent) as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for photo in photos:
            os.link(photo, root / "inbox" / photo.name)
        before, begun = _core_seconds(), time.perf_counter()
        execute(contestant.command(root, exported), contestant.environment)
        taken = Run(time.perf_counter() - begun, _core_seconds() - before)
        return taken, _labels(root, {photo.name for photo in photos})


def execute(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Runs a command in the project's folder, without settings of foodsort but `variables`; what it printed.

    Raises Failed with the last line of its complaints.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FOODSORT_")}
    environment = inherited | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"} | (variables or {})
    ended = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise Failed(f"exit code {ended.returncode}: {said[-1]}")
    return ended.stdout


def cost(photos: Path) -> Cost:
    """What `benchmarks.limit` measures, in a process of its own. Raises Failed."""
    return Cost(**json.loads(execute([sys.executable, "-m", "benchmarks.limit", str(photos)])))


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _labels(root: Path, names: set[str]) -> Labels:
    """The label of each photo by the folder it lies in. Raises Failed unless each lies in one and has a row that agrees."""
    moved = {path.name: label for label in ("food", "non_food") for path in (root / label).glob("*")}
    if moved.keys() != names:
        raise Failed(f"{len(names - moved.keys())} of {len(names)} photos were not moved")
    rows = []
    for file in root.glob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            rows += database.execute("SELECT name, label FROM results").fetchall()
    if sorted(rows) != sorted(moved.items()):
        raise Failed(f"{len(rows)} rows for {len(names)} photos, or rows that say something else than the folders")
    return moved
