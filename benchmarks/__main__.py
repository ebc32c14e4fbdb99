"""`python -m benchmarks`: how fast foodsort and others sort the same photos with the same network, side by side in one run."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from benchmarks import race
from benchmarks.chart import draw
from benchmarks.contestants import CONTESTANTS, FOODSORT, Contestant
from benchmarks.limit import Cost
from benchmarks.machine import machine
from benchmarks.rates import START, Rate, Run, rate
from benchmarks.standing import NOTES, Standing
from benchmarks.workloads import WORKLOADS, lay

PHOTOS = race.PROJECT.parent / "shared/data/bench"
LIMIT = "limit"

Note = Callable[[str], None]


def main() -> None:
    """Measures, prints the tables, writes what was asked for; exits 1 with a message where the photos are missing."""
    given = _arguments()
    say = Console(highlight=False, soft_wrap=True).print
    note = Console(highlight=False, soft_wrap=True, stderr=True).print
    here = machine()
    say(f"{here.processor}, {here.cores} cores, {' '.join(here.flags)}")
    say(", ".join(f"{name} {version}" for name, version in here.versions.items()))
    chosen = [one for one in CONTESTANTS if one.name in given.contestants]
    standings = {}
    try:
        with tempfile.TemporaryDirectory(prefix="foodsort-bench-") as folder:
            laid = {}
            for name in given.workloads:
                number = WORKLOADS[name].quick if given.quick else WORKLOADS[name].photos
                laid[name] = lay(WORKLOADS[name], number, given.photos, Path(folder, name))
            export(chosen, exported := Path(folder, "exported"), note)
            prepare(chosen, next(iter(laid.values())), exported, note)
            for name, photos in laid.items():
                rounds = Rounds(name, chosen, photos, exported, note)
                rounds.measure(given.rounds, limited=LIMIT in given.contestants)
                standings[name] = standing = rounds.standing(here.cores)
                say("", standing.table(name), *standing.lines(), sep="\n")
    except (FileNotFoundError, race.Failed) as error:
        sys.exit(f"benchmarks: {error}")
    say("", NOTES, sep="\n")
    if given.json:
        workloads = {name: standing.as_json() for name, standing in standings.items()}
        found = {"machine": here._asdict(), "rounds": given.rounds, "workloads": workloads}
        given.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.chart:
        given.chart.write_text(draw(standings, f"{here.processor}, {here.cores} cores"), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*(one.name for one in CONTESTANTS), LIMIT]
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder with web/ and phone/ (%(default)s)")
    parser.add_argument("--contestants", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, help="how often each sorts each workload (3; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="few photos: shows that all run, hardly how fast they are")
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    parser.add_argument("--chart", type=Path, help="SVG file to draw")
    given = parser.parse_args()
    if given.rounds is None:
        given.rounds = 1 if given.quick else 3
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    return given


def export(chosen: list[Contestant], folder: Path, note: Note) -> None:
    """Writes the network in the forms that the contestants read. Raises Failed."""
    folder.mkdir()
    if any(one.script for one in chosen):
        note("exporting the network")
        onnx = ["onnx"] if any(one.of == "onnx" for one in chosen) else []
        try:
            race.execute([sys.executable, "-m", "benchmarks.export", str(folder), *onnx])
        except race.Failed as failure:
            raise race.Failed(
                f"the network cannot be exported ({failure}); `make bench` installs what it takes"
            ) from failure


def prepare(chosen: list[Contestant], photos: list[Path], exported: Path, note: Note) -> None:
    """Has foodsort make once what it keeps in its cache from then on. What fails here will be told when it is measured."""
    for one in chosen:
        if not one.script:
            note(f"a first run of {one.name}")
            with suppress(race.Failed):
                race.run(one, photos[:START], exported)


class Rounds:
    """The runs of one workload."""

    def __init__(self, workload: str, chosen: list[Contestant], photos: list[Path], exported: Path, note: Note) -> None:
        self._workload, self._chosen, self._photos, self._exported, self._note = (
            workload,
            chosen,
            photos,
            exported,
            note,
        )
        self._runs: dict[str, list[Run]] = {one.name: [] for one in chosen}
        self._short: dict[str, list[Run]] = {one.name: [] for one in chosen}
        self._labels: dict[str, race.Labels] = {}
        self._failed: dict[str, str] = {}
        self._costs: list[Cost] = []

    def measure(self, rounds: int, *, limited: bool) -> None:
        """All in turn in each round, every second round backwards, so that a busy moment hits no one alone."""
        for number in range(rounds):
            for one in self._chosen[:: -1 if number % 2 else 1]:
                if one.name not in self._failed:
                    self._run(one, f"{self._workload}, round {number + 1} of {rounds}, {one.name}")
            if limited:
                self._costs.append(race.cost(self._photos[0].parent))

    def _run(self, one: Contestant, where: str) -> None:
        try:
            short, _ = race.run(one, self._photos[:START], self._exported)
            taken, self._labels[one.name] = race.run(one, self._photos, self._exported)
        except race.Failed as failure:
            self._failed[one.name] = str(failure)
            self._note(f"{where}: failed: {failure}")
            return
        self._short[one.name].append(short)
        self._runs[one.name].append(taken)
        self._note(f"{where}: {taken.seconds:.1f} s")

    def standing(self, cores: int) -> Standing:
        """What came of it. A contestant that failed once has no rate."""
        rates: dict[str, Rate] = {}
        for name in (one.name for one in self._chosen if one.name not in self._failed):
            try:
                rates[name] = rate(len(self._photos), self._runs[name], self._short[name])
            except ValueError as error:
                self._failed[name] = str(error)
        differing: dict[str, int] = {}
        if (ours := self._labels.get(FOODSORT.name)) is not None:
            differing = {
                name: sum(label != ours[photo] for photo, label in labels.items())
                for name, labels in self._labels.items()
            }
        cost = Cost(*map(statistics.median_low, zip(*self._costs, strict=True))) if self._costs else None
        return Standing(len(self._photos), cores, rates, differing, self._failed, cost)


if __name__ == "__main__":
    main()
