"""`python -m benchmarks.learning`: what a model learns from a person's labels, simulated on the shipped feature bank.

Whole sources are left out of the bank and of the model, and are a person's photos. No photos are needed.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import learning_plots, learning_trials
from benchmarks.learning_person import Person, error, reader
from benchmarks.learning_trials import COUNTS, LABELS, WRONG, Curve, Sabotage
from benchmarks.machine import machine

SEEDS = 10
_DRAWS = 10_000
_GUARD = "guard lost, net, in 1,000"


class Mean(NamedTuple):
    """A mean over seeds with its 95 % interval, by bootstrap over the seeds."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """The mean and its interval in percent."""
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"

    def plain(self, decimals: int = 2) -> str:
        """The mean and its interval."""
        return f"{self.value:.{decimals}f} ({self.low:.{decimals}f} to {self.high:.{decimals}f})"


def mean(values: Iterable[float], per: Iterable[float] | None = None) -> Mean:
    """Returns a mean over seeds, or the ratio of two means, with its interval."""
    above = np.array(list(values), np.float64)
    below = np.ones_like(above) if per is None else np.array(list(per), np.float64)
    rows = np.random.default_rng(1).integers(0, len(above), (_DRAWS, len(above)))
    drawn = above[rows].sum(axis=1) / below[rows].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Mean(float(above.sum() / below.sum()), float(low), float(high))


def labels_needed(curve: Sequence[float], counts: Sequence[int], goal: float) -> float:
    """Returns how many labels a falling curve of errors needs for a goal; infinity if it does not reach it."""
    for index in range(1, len(counts)):
        if curve[index] <= goal:
            before, after = curve[index - 1], curve[index]
            share = 0.0 if before <= goal else (before - goal) / (before - after)
            return counts[index - 1] + share * (counts[index] - counts[index - 1])
    return float("inf")


def _new_domain(seeds: int, output: Console, plots: Path | None) -> None:
    curves: dict[str, list[Curve]] = {"teach": [], "random": []}
    for seed in range(seeds):
        curves["teach"].append(learning_trials.new_domain(seed, "teach"))
        curves["random"].append(learning_trials.new_domain(seed, "random"))
    table = Table("answers", "chosen by", "wrong, %", "of the start", _GUARD, "better : as good : worse")
    starts = [curve.start for curve in curves["teach"]]
    table.add_row("0", "", mean(starts).percent(), "1", "", "")
    errors: dict[str, list[float]] = {}
    for way, of_way in curves.items():
        errors[way] = [mean(starts).value]
        for index, number in enumerate(COUNTS):
            stages = [curve.stages[index] for curve in of_way]
            found = mean(stage.error for stage in stages)
            errors[way].append(found.value)
            lost = mean(1000 * (stage.guard.lost - stage.guard.won) / stage.guard.n for stage in stages)
            verdicts = [stage.verdict for stage in stages]
            table.add_row(
                str(number),
                way,
                found.percent(),
                mean((stage.error for stage in stages), starts).plain(),
                lost.plain(1),
                " : ".join(str(verdicts.count(name)) for name in ("better", "as_good", "worse")),
            )
    output.print(table)
    counts = (0, *COUNTS)
    for number in COUNTS[1:]:
        goal = errors["random"][counts.index(number)]
        needed = labels_needed(errors["teach"], counts, goal)
        output.print(f"Teach needs {needed:.0f} answers for what {number} random labels give: {needed / number:.2f}")
    if plots is not None:
        by_seed = {
            way: [[curve.start, *(stage.error for stage in curve.stages)] for curve in of_way]
            for way, of_way in curves.items()
        }
        learning_plots.curves(plots / "new-domain.svg", counts, by_seed)


def _tableware(seeds: int, output: Console, plots: Path | None) -> None:
    table = Table("tableware", "answers", "right: tableware, %", "right: all, %", _GUARD)
    for hard in (False, True):
        counts = (0, 50, 100)
        found: dict[int, list[tuple[float, float, float]]] = {number: [] for number in counts}
        for seed in range(seeds):
            domain, plates = learning_trials.tableware(seed, hard=hard)
            first = reader(domain.base)
            found[0].append((1 - error(first, plates), 1 - error(first, domain.test), 0.0))
            person = Person(domain, "teach", seed)
            for stage in person.label(counts[1:]):
                lost = 1000 * (stage.guard.lost - stage.guard.won) / stage.guard.n
                found[stage.labels].append((1 - error(person.newest, plates), 1 - stage.error, lost))
        for number, values in found.items():
            plates_right, right, lost_ = zip(*values, strict=True)
            name = "half of it wrong at the start" if hard else "as it comes"
            table.add_row(name, str(number), mean(plates_right).percent(), mean(right).percent(), mean(lost_).plain(1))
    output.print(table)


def _sabotage(seeds: int, output: Console, plots: Path | None) -> None:
    table = Table(
        "labels",
        "wrong asked again",
        "right asked again",
        "verdict worse",
        "wrong, %: before",
        "after",
        _GUARD,
    )
    trials: dict[str, Callable[[int], Sabotage]] = {
        f"{WRONG} of {LABELS} wrong, random photos": lambda seed: learning_trials.sabotage(seed, uncertain=False),
        f"{WRONG} of {LABELS} wrong, Teach's photos": lambda seed: learning_trials.sabotage(seed, uncertain=True),
        f"{LABELS} labels, all food": learning_trials.one_class,
    }
    for name, trial in trials.items():
        found = [trial(seed) for seed in range(seeds)]
        table.add_row(
            name,
            mean(one.found for one in found).plain(1),
            mean(one.doubted for one in found).plain(1),
            f"{sum(one.verdict == 'worse' for one in found)} of {seeds}",
            mean(one.start for one in found).percent(),
            mean(one.error for one in found).percent(),
            mean(1000 * one.guard / one.guard_photos for one in found).plain(1),
        )
    output.print(table)


def _ways(seeds: int, output: Console, plots: Path | None) -> None:
    table = Table("random labels", "way", "wrong, %", _GUARD)
    for number in (100, 200):
        found = [learning_trials.refit(seed, number) for seed in range(seeds)]
        for way in found[0]:
            table.add_row(
                str(number),
                way,
                mean(one[way][0] for one in found).percent(),
                mean(one[way][1] for one in found).plain(1),
            )
    output.print(table)


def _many(seeds: int, output: Console, plots: Path | None) -> None:
    table = Table("labels", "fit, s", "peak memory, MB", _GUARD)
    for number in (200, 1_000, 10_000):
        seconds, memory, lost = learning_trials.many(number)
        table.add_row(f"{number:,}", f"{seconds:.1f}", f"{memory:,.0f}", f"{lost:.1f}")
    output.print(table)


def views(folder: Path, output: Console) -> None:
    """Prints the mistakes on views of photos by the way of learning."""
    found = learning_trials.views(folder)
    table = Table("way", *found)
    for way in next(iter(found.values())):
        table.add_row(way, *(str(by_way[way]) for by_way in found.values()))
    output.print(table)


PARTS: dict[str, Callable[[int, Console, Path | None], None]] = {
    "domain": _new_domain,
    "tableware": _tableware,
    "sabotage": _sabotage,
    "ways": _ways,
    "many": _many,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"parts, of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="number of seeds (default: %(default)s)")
    parser.add_argument("--plots", type=Path, help="existing folder for the plots (default: none are drawn)")
    parser.add_argument("--views", type=Path, help="validation split of Food-5K: measure mistakes on views alone")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    output = Console(highlight=False, soft_wrap=True, width=160)
    output.print(machine().describe())
    if options.views is not None:
        views(options.views, output)
        return
    for name in options.parts or PARTS:
        output.print(f"\n{name}, {options.seeds} seeds")
        PARTS[name](options.seeds, output, options.plots)


if __name__ == "__main__":
    main()
