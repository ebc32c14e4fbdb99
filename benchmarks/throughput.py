"""Arithmetic from run times to throughput and speed-ups."""

import statistics
from typing import NamedTuple

STARTUP_PHOTOS = 8
"""Photos of the short run, which measures the start-up: mostly imports, loading and the first batch."""


class RunTime(NamedTuple):
    """The duration of a program from start to end.

    Attributes:
        seconds: Wall-clock seconds.
        core_seconds: CPU seconds of all its processes and threads together.
    """

    seconds: float
    core_seconds: float


class Throughput(NamedTuple):
    """The throughput over several rounds, without the start-up.

    Attributes:
        photos_s: Median photos a second.
        slowest: Lowest photos a second of a round.
        fastest: Highest photos a second of a round.
        start_s: Median wall-clock seconds of the short run.
        core_ms: Median CPU milliseconds a photo.
    """

    photos_s: float
    slowest: float
    fastest: float
    start_s: float
    core_ms: float


def throughput(photos: int, runs: list[RunTime], short_runs: list[RunTime]) -> Throughput:
    """Computes the throughput of runs over `photos` photos; the median of the short runs is subtracted.

    Raises:
        ValueError: A run took no longer than the start-up, so nothing can be computed.
    """
    start_s = statistics.median(run.seconds for run in short_runs)
    start_core_s = statistics.median(run.core_seconds for run in short_runs)
    counted = photos - STARTUP_PHOTOS
    durations = [run.seconds - start_s for run in runs]
    if min(durations) <= 0:
        raise ValueError(
            f"{photos} photos took no longer than {STARTUP_PHOTOS}; more photos or a quieter machine are needed"
        )
    rates = [counted / seconds for seconds in durations]
    core_s = statistics.median(run.core_seconds for run in runs) - start_core_s
    return Throughput(
        photos_s=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        start_s=start_s,
        core_ms=1000 * core_s / counted,
    )


def upper_bound(cores: int, decode_s: float, inference_s: float) -> float:
    """Returns the photos a second if every core did nothing but decode and infer.

    Args:
        cores: Number of cores.
        decode_s: Core-seconds a photo.
        inference_s: Core-seconds a photo.
    """
    return cores / (decode_s + inference_s)


def speedups(rates: dict[str, float], libraries: dict[str, str], bound: float | None) -> dict[str, float]:
    """Computes how many times as fast foodsort is as others. Comparisons without a measurement are left out.

    Args:
        rates: Photos a second by competitor.
        libraries: The library that runs a competitor's network; `foodsort` for ours.
        bound: The upper bound in photos a second, if measured.
    """
    others = {name: value for name, value in rates.items() if libraries[name] != "foodsort"}
    tensorflow = {name: value for name, value in others.items() if libraries[name] == "tensorflow"}
    references = {name: value for name, value in others.items() if name == "article"}
    if tensorflow:
        best = max(tensorflow, key=tensorflow.__getitem__)
        references[f"the best with TensorFlow ({best})"] = tensorflow[best]
    if others:
        best = max(others, key=others.__getitem__)
        references[f"the fastest other ({best})"] = others[best]
    if bound:
        references["the limit"] = bound
    ours = {name: value for name, value in rates.items() if libraries[name] == "foodsort"}
    return {
        f"{name} ÷ {reference}": rate / reference_rate
        for name, rate in ours.items()
        for reference, reference_rate in references.items()
    }
