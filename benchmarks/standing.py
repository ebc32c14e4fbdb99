"""What came of a workload, and how it is told: a table, ratios, JSON."""

from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.contestants import CONTESTANTS
from benchmarks.limit import Cost
from benchmarks.rates import Rate, limit, ratios

NOTES = """range: slowest and fastest round. core-ms: a photo, of all threads together.
start: seconds of a run with 8 photos, taken off. differ: labels other than foodsort's."""


class Standing(NamedTuple):
    """Photos sorted in a run; by contestant, its rate, the photos it labels otherwise than foodsort, why it failed.

    cost: of decode and network, each alone, unless that was not measured.
    """

    photos: int
    cores: int
    rates: dict[str, Rate]
    differing: dict[str, int]
    failed: dict[str, str]
    cost: Cost | None

    @property
    def limit(self) -> float | None:
        """Photos a second that these cores could do."""
        return limit(self.cores, self.cost.decode, self.cost.inference) if self.cost else None

    @property
    def photos_s(self) -> dict[str, float]:
        """Median photos a second by contestant."""
        return {name: found.photos_s for name, found in self.rates.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as fast foodsort is as others."""
        return ratios(self.photos_s, {one.name: one.of for one in CONTESTANTS}, self.limit)

    def table(self, title: str) -> Table:
        """A row for each contestant; × is how many times as fast as the first."""
        table = Table(title=f"{title}, {self.photos} photos", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("contestant", no_wrap=True)
        for column in ("photos/s", "range", "×", "core-ms", "start", "differ"):
            table.add_column(column, justify="right")
        for name, found in self.rates.items():
            times = found.photos_s / next(iter(self.photos_s.values()))
            figures = (f"{found.photos_s:.1f}", f"{found.slowest:.3g}–{found.fastest:.3g}", f"{times:.2f}")
            differing = str(self.differing.get(name, "–"))
            table.add_row(name, *figures, f"{found.core_ms:.1f}", f"{found.start_s:.1f}", differing)
        for name in self.failed:
            table.add_row(name, "failed")
        return table

    def lines(self) -> list[str]:
        """What stands below the table: failures, the limit, the ratios."""
        said = [f"{name} failed: {why}" for name, why in self.failed.items()]
        if self.cost:
            milliseconds = f"decode {1000 * self.cost.decode:.2f} + network {1000 * self.cost.inference:.2f} core-ms"
            said.append(
                f"limit {self.limit:.1f}/s: {self.cores} cores ÷ ({milliseconds}, batches of {self.cost.batch})"
            )
        return [*said, *(f"{value:6.2f}  {name}" for name, value in self.ratios.items())]

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {
            "photos": self.photos,
            "contestants": {
                name: found._asdict() | {"differing": self.differing.get(name)} for name, found in self.rates.items()
            },
            "failed": self.failed,
            "limit": self.cost and {"photos_s": self.limit, **self.cost._asdict()},
            "ratios": self.ratios,
        }
