"""The results of one workload as a table, as speed-ups and as JSON."""

from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.competitors import COMPETITORS
from benchmarks.stage_costs import StageCosts
from benchmarks.throughput import Throughput, speedups, upper_bound

NOTES = """range: slowest and fastest round. core-ms: CPU milliseconds a photo, all threads together.
start: seconds of a run with 8 photos, which is subtracted. differ: labels that differ from foodsort's."""


class Comparison(NamedTuple):
    """The results of one workload.

    Attributes:
        photos: Number of photos in a run.
        cores: Number of cores.
        throughputs: By competitor.
        differing: Labels that differ from foodsort's, by competitor.
        failures: Error messages by competitor.
        stage_costs: Costs of decoding and of the network, if measured.
    """

    photos: int
    cores: int
    throughputs: dict[str, Throughput]
    differing: dict[str, int]
    failures: dict[str, str]
    stage_costs: StageCosts | None

    @property
    def limit(self) -> float | None:
        """Upper bound of the photos a second on these cores."""
        if self.stage_costs is None:
            return None
        return upper_bound(self.cores, self.stage_costs.decode, self.stage_costs.inference)

    @property
    def rates(self) -> dict[str, float]:
        """Median photos a second by competitor."""
        return {name: throughput.photos_s for name, throughput in self.throughputs.items()}

    @property
    def speedups(self) -> dict[str, float]:
        """How many times as fast foodsort is as others."""
        libraries = {competitor.name: competitor.library for competitor in COMPETITORS}
        return speedups(self.rates, libraries, self.limit)

    def table(self, title: str) -> Table:
        """Builds a table with a row for each competitor; × is the speed relative to the first."""
        table = Table(title=f"{title}, {self.photos} photos", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("competitor", no_wrap=True)
        for column in ("photos/s", "range", "×", "core-ms", "start", "differ"):
            table.add_column(column, justify="right")
        for name, throughput in self.throughputs.items():
            first_rate = next(iter(self.rates.values()))
            table.add_row(
                name,
                f"{throughput.photos_s:.1f}",
                f"{throughput.slowest:.3g}–{throughput.fastest:.3g}",
                f"{throughput.photos_s / first_rate:.2f}",
                f"{throughput.core_ms:.1f}",
                f"{throughput.start_s:.1f}",
                str(self.differing.get(name, "–")),
            )
        for name in self.failures:
            table.add_row(name, "failed")
        return table

    def lines(self) -> list[str]:
        """Returns the lines below the table: failures, the limit, the speed-ups."""
        lines = [f"{name} failed: {message}" for name, message in self.failures.items()]
        if costs := self.stage_costs:
            milliseconds = f"decode {1000 * costs.decode:.2f} + network {1000 * costs.inference:.2f} core-ms"
            lines.append(f"limit {self.limit:.1f}/s: {self.cores} cores ÷ ({milliseconds}, batches of {costs.batch})")
        return [*lines, *(f"{value:6.2f}  {name}" for name, value in self.speedups.items())]

    def as_json(self) -> dict[str, Any]:
        """Returns all results under the keys of docs/speed.json."""
        return {
            "photos": self.photos,
            "contestants": {
                name: throughput._asdict() | {"differing": self.differing.get(name)}
                for name, throughput in self.throughputs.items()
            },
            "failed": self.failures,
            "limit": self.stage_costs and {"photos_s": self.limit, **self.stage_costs._asdict()},
            "ratios": self.speedups,
        }
