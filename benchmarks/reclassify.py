"""`python -m benchmarks.reclassify PHOTOS`: rate of `foodsort reclassify` against that of sorting, in turns.

In each round the photos are sorted by the shipped model, then judged again by a copy of it with another name. Sorting
runs at the lowest priority too, as reclassify does by itself: so other work on the machine slows both alike.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import trial
from benchmarks.engines import processor
from benchmarks.isolation import copy_photos
from benchmarks.process import FOODSORT
from benchmarks.throughput import STARTUP_PHOTOS, RunTime, throughput
from models.bundle import Bundle
from models.errors import FoodsortError

GOAL = 0.9
_LAST = ("nice", "-n", "19")
_STEPS = ("sort", "reclassify")


def main() -> None:
    """Measures both and prints the rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder with photos, which are repeated")
    parser.add_argument("--count", type=int, default=400, help="photos of a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="auto", help="engine of the model")
    arguments = parser.parse_args()
    if arguments.count <= STARTUP_PHOTOS:
        parser.error(f"--count must be above {STARTUP_PHOTOS}, the photos of the short run")
    try:
        with tempfile.TemporaryDirectory() as folder:
            copies = copy_photos(arguments.photos, Path(folder, "photos"), arguments.count)
            bundle = copy_model(Path(folder, "second"))
            long, short = [], []
            for _ in range(arguments.rounds):
                short.append(run_both(copies[:STARTUP_PHOTOS], bundle, arguments.engine))
                long.append(run_both(copies, bundle, arguments.engine))
        print_rates(arguments.count, long, short)
    except (FoodsortError, trial.TrialFailed, ValueError) as error:
        parser.exit(1, f"benchmarks: {error}\n")


def copy_model(folder: Path) -> Path:
    """Writes the shipped model under another name, so that it is another model for the database."""
    shipped = Bundle.load()
    folder.mkdir()
    for name in shipped.card.files:
        shutil.copyfile(shipped.folder / name, folder / name)
    return Bundle.write(folder, shipped.card.model_copy(update={"name": "second"})).folder


def run_both(photos: list[Path], bundle: Path, engine: str) -> dict[str, RunTime]:
    """Sorts photos in a new root, then judges them again; returns the duration of each.

    Raises:
        TrialFailed: Not all photos were sorted or judged.
    """
    with tempfile.TemporaryDirectory(dir=bundle.parent) as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for photo in photos:
            os.link(photo, root / "inbox" / photo.name)
        variables = {"FOODSORT_MODEL__ENGINE": engine}
        sort_time, _ = _run(["run", "--root", str(root), "--once"], variables)
        words = ["reclassify", "--root", str(root), "--format", "json"]
        reclassify_time, out = _run(words, variables | {"FOODSORT_MODEL__BUNDLE": str(bundle)})
        outcome: dict[str, Any] = json.loads(out)
        if outcome["judged"] != len(photos) or outcome["batch"] is None:
            raise trial.TrialFailed(f"{outcome['judged']} of {len(photos)} photos were judged")
        return dict(zip(_STEPS, (sort_time, reclassify_time), strict=True))


def print_rates(count: int, long: list[dict[str, RunTime]], short: list[dict[str, RunTime]]) -> None:
    """Prints the rate of each step without its start-up, and the ratio of the rates."""
    rates = {step: throughput(count, [run[step] for run in long], [run[step] for run in short]) for step in _STEPS}
    table = Table("step", "photos/s", "slowest", "fastest", "core-ms a photo", "start (s)")
    for step, rate in rates.items():
        figures = (rate.photos_s, rate.slowest, rate.fastest, rate.core_ms, rate.start_s)
        table.add_row(step, *(f"{figure:.1f}" for figure in figures))
    ratio = rates["reclassify"].photos_s / rates["sort"].photos_s
    title = f"{count} photos, {len(long)} rounds of both in turn, load {os.getloadavg()[0]:.1f}"
    Console(highlight=False).print(
        title, processor(), table, f"ratio {ratio:.2f}, goal at least {GOAL}", sep="\n", soft_wrap=True
    )


def _run(words: list[str], variables: dict[str, str]) -> tuple[RunTime, str]:
    core_begin = _core_seconds()
    begin = time.perf_counter()
    out = trial.execute([*_LAST, sys.executable, *FOODSORT, *words], variables)
    return RunTime(seconds=time.perf_counter() - begin, core_seconds=_core_seconds() - core_begin), out


def _core_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
