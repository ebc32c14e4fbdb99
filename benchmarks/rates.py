"""From seconds to rates and ratios. Pure arithmetic."""

import statistics
from typing import NamedTuple

START = 8
"""Photos of the short run, which tells what the start costs: most of it is imports, loading and the first batch."""


class Run(NamedTuple):
    """Wall seconds, and core-seconds of all its processes and threads together, from a program's start to its end."""

    seconds: float
    core_seconds: float


class Rate(NamedTuple):
    """photos_s: median photos a second without the start; slowest, fastest: over the rounds.

    start_s: median wall seconds of the short run. core_ms: median core-milliseconds a photo without the start.
    """

    photos_s: float
    slowest: float
    fastest: float
    start_s: float
    core_ms: float


def rate(photos: int, runs: list[Run], short: list[Run]) -> Rate:
    """The rate of runs over `photos` photos, less the median of those over START photos.

    Raises ValueError when a run took no longer than the start: nothing can be said then.
    """
    start_s = statistics.median(run.seconds for run in short)
    start_core_s = statistics.median(run.core_seconds for run in short)
    counted = photos - START
    spent = [run.seconds - start_s for run in runs]
    if min(spent) <= 0:
        raise ValueError(f"{photos} photos took no longer than {START}; more photos or a quieter machine are needed")
    rates = [counted / seconds for seconds in spent]
    core_s = statistics.median(run.core_seconds for run in runs) - start_core_s
    return Rate(statistics.median(rates), min(rates), max(rates), start_s, 1000 * core_s / counted)


def limit(cores: int, decode_s: float, inference_s: float) -> float:
    """Photos a second if every core did nothing but decode and infer, of their core-seconds a photo."""
    return cores / (decode_s + inference_s)


def ratios(rates: dict[str, float], of: dict[str, str], limit: float | None) -> dict[str, float]:
    """How many times as fast foodsort is as others; what cannot be compared is left out.

    rates: photos a second by contestant. of: the library that a contestant runs the network with, `foodsort` for ours.
    """
    others = {name: value for name, value in rates.items() if of[name] != "foodsort"}
    tensorflow = {name: value for name, value in others.items() if of[name] == "tensorflow"}
    pairs = []
    for ours in (name for name in rates if of[name] == "foodsort"):
        pairs += [(ours, "article", rates[name]) for name in others if name == "article"]
        if tensorflow:
            best = max(tensorflow, key=tensorflow.__getitem__)
            pairs.append((ours, f"the best with TensorFlow ({best})", tensorflow[best]))
        if others:
            best = max(others, key=others.__getitem__)
            pairs.append((ours, f"the fastest other ({best})", others[best]))
        if limit:
            pairs.append((ours, "the limit", limit))
    return {f"{ours} ÷ {name}": rates[ours] / value for ours, name, value in pairs}
