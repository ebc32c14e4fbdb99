"""`python -m benchmarks`: throughput of foodsort and of others, with the same photos and network, side by side."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from benchmarks import trial
from benchmarks.chart import draw
from benchmarks.comparison import NOTES, Comparison
from benchmarks.competitors import COMPETITORS, FOODSORT, Competitor
from benchmarks.machine import machine
from benchmarks.stage_costs import StageCosts
from benchmarks.throughput import STARTUP_PHOTOS, RunTime, Throughput, throughput
from benchmarks.workloads import DEFAULT_PHOTOS, WORKLOADS, write_photos

LIMIT = "limit"
"""Name that selects the measurement of the upper bound."""

Log = Callable[[str], None]


def main() -> None:
    """Measures, prints the tables and writes the files; exits with 1 and a message if photos are missing."""
    arguments = _parse_arguments()
    output = Console(highlight=False, soft_wrap=True)
    log = Console(highlight=False, soft_wrap=True, stderr=True).print
    this_machine = machine()
    title = f"{this_machine.processor}, {this_machine.cores} cores"
    output.print(f"{title}, {' '.join(this_machine.flags)}")
    output.print(", ".join(f"{name} {version}" for name, version in this_machine.versions.items()))
    competitors = [competitor for competitor in COMPETITORS if competitor.name in arguments.competitors]
    comparisons: dict[str, Comparison] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="foodsort-bench-") as folder:
            photos_by_workload = {}
            for name in arguments.workloads:
                workload = WORKLOADS[name]
                number = workload.quick if arguments.quick else workload.photos
                photos_by_workload[name] = write_photos(workload, number, arguments.photos, Path(folder, name))
            exported = Path(folder, "exported")
            export(competitors, exported, log)
            warm_up(competitors, next(iter(photos_by_workload.values())), exported, log)
            for name, photos in photos_by_workload.items():
                rounds = Rounds(name, competitors, photos, exported, log)
                rounds.measure(arguments.rounds, limit=LIMIT in arguments.competitors)
                comparison = comparisons[name] = rounds.comparison(this_machine.cores)
                output.print("", comparison.table(name), *comparison.lines(), sep="\n")
    except (FileNotFoundError, trial.TrialFailed) as error:
        sys.exit(f"benchmarks: {error}")
    output.print("", NOTES, sep="\n")
    if arguments.json:
        results = {
            "machine": this_machine._asdict(),
            "rounds": arguments.rounds,
            "workloads": {name: comparison.as_json() for name, comparison in comparisons.items()},
        }
        arguments.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.chart:
        arguments.chart.write_text(draw(comparisons, title), encoding="utf-8")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*(competitor.name for competitor in COMPETITORS), LIMIT]
    parser.add_argument(
        "--photos", type=Path, default=DEFAULT_PHOTOS, help="folder with web/ and phone/ (default: %(default)s)"
    )
    parser.add_argument(
        "--competitors",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=f"competitors to measure (default: all of {', '.join(names)})",
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="photos to sort (default: all)"
    )
    parser.add_argument("--rounds", type=int, help="runs of each competitor on each workload (default: 3; quick: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="sort few photos: shows that everything runs, not how fast it is"
    )
    parser.add_argument("--json", type=Path, help="file to write all results to")
    parser.add_argument("--chart", type=Path, help="SVG file to draw")
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = 1 if arguments.quick else 3
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def export(competitors: list[Competitor], folder: Path, log: Log) -> None:
    """Exports the network in the formats that the competitors read. Raises TrialFailed."""
    folder.mkdir()
    if any(competitor.script for competitor in competitors):
        log("exporting the network")
        onnx = ["onnx"] if any(competitor.library == "onnx" for competitor in competitors) else []
        try:
            trial.execute([sys.executable, "-m", "benchmarks.export", str(folder), *onnx])
        except trial.TrialFailed as failure:
            raise trial.TrialFailed(
                f"the network cannot be exported ({failure}); `make bench` installs the packages it needs"
            ) from failure


def warm_up(competitors: list[Competitor], photos: list[Path], exported: Path, log: Log) -> None:
    """Runs foodsort once, so that its cache is filled. Failures are ignored here; the measurement shows them."""
    for competitor in competitors:
        if not competitor.script:
            log(f"warm-up of {competitor.name}")
            with suppress(trial.TrialFailed):
                trial.run(competitor, photos[:STARTUP_PHOTOS], exported)


class Rounds:
    """The runs of all competitors on one workload."""

    def __init__(
        self, workload: str, competitors: list[Competitor], photos: list[Path], exported: Path, log: Log
    ) -> None:
        self._workload = workload
        self._competitors = competitors
        self._photos = photos
        self._exported = exported
        self._log = log
        self._runs: dict[str, list[RunTime]] = {competitor.name: [] for competitor in competitors}
        self._short_runs: dict[str, list[RunTime]] = {competitor.name: [] for competitor in competitors}
        self._labels: dict[str, trial.Labels] = {}
        self._failures: dict[str, str] = {}
        self._costs: list[StageCosts] = []

    def measure(self, rounds: int, *, limit: bool) -> None:
        """Runs all competitors in each round; every second round in reverse, so that interference affects all of them.

        Args:
            rounds: Number of rounds.
            limit: Whether to measure the costs for the upper bound.
        """
        for number in range(rounds):
            for competitor in self._competitors[:: -1 if number % 2 else 1]:
                if competitor.name not in self._failures:
                    self._run(competitor, f"{self._workload}, round {number + 1} of {rounds}, {competitor.name}")
            if limit:
                self._costs.append(trial.measure_stage_costs(self._photos[0].parent))

    def _run(self, competitor: Competitor, title: str) -> None:
        name = competitor.name
        try:
            short_run, _ = trial.run(competitor, self._photos[:STARTUP_PHOTOS], self._exported)
            run, self._labels[name] = trial.run(competitor, self._photos, self._exported)
        except trial.TrialFailed as failure:
            self._failures[name] = str(failure)
            self._log(f"{title}: failed: {failure}")
            return
        self._short_runs[name].append(short_run)
        self._runs[name].append(run)
        self._log(f"{title}: {run.seconds:.1f} s")

    def comparison(self, cores: int) -> Comparison:
        """Returns the results. A competitor that failed once has no throughput."""
        throughputs: dict[str, Throughput] = {}
        for name in (competitor.name for competitor in self._competitors if competitor.name not in self._failures):
            try:
                throughputs[name] = throughput(len(self._photos), self._runs[name], self._short_runs[name])
            except ValueError as error:
                self._failures[name] = str(error)
        return Comparison(
            photos=len(self._photos),
            cores=cores,
            throughputs=throughputs,
            differing=self._differing(),
            failures=self._failures,
            stage_costs=self._median_costs(),
        )

    def _differing(self) -> dict[str, int]:
        ours = self._labels.get(FOODSORT.name)
        if ours is None:
            return {}
        return {
            name: sum(label != ours[photo] for photo, label in labels.items()) for name, labels in self._labels.items()
        }

    def _median_costs(self) -> StageCosts | None:
        if not self._costs:
            return None
        return StageCosts(
            decode=statistics.median_low(costs.decode for costs in self._costs),
            inference=statistics.median_low(costs.inference for costs in self._costs),
            batch=statistics.median_low(costs.batch for costs in self._costs),
        )


if __name__ == "__main__":
    main()
