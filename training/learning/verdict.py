"""The decision table: from the counts of won and lost photos to a verdict."""

from typing import NamedTuple

from models.judgement import Comparison, Verdict
from models.plurals import plural

GUARD_LOSS = 0.002
"""Largest share of the guard's photos that a candidate may lose, net."""
SIGNIFICANCE = 0.05
"""Level of McNemar's test."""
MIN_GAIN = 6
"""Fewest photos, net, that a better candidate wins: below six of six, McNemar's test says nothing."""
MIN_PHOTOS = 20
"""Fewest photos out of fold without a verdict of `too_few`."""


class Decision(NamedTuple):
    """A verdict, and the reason in one sentence."""

    verdict: Verdict
    reason: str


def decide(guard: Comparison, held_out: Comparison, audit: Comparison) -> Decision:
    """Decides by the first row of the table that applies: worse (guard, labels, audit), better, as good, too few.

    Args:
        guard: Photos of the bundle that no fit has seen.
        held_out: The person's photos, out of fold.
        audit: The person's photos drawn at random.
    """
    if not keeps(guard):
        share = f"{guard.n:,} photos that the model must keep right, and wins {guard.won}"
        return Decision("worse", f"The candidate loses {guard.lost} of {share}.")
    for counts, name in ((held_out, "labelled photos"), (audit, "photos drawn at random")):
        if counts.lost > counts.won and counts.p < SIGNIFICANCE:
            return Decision("worse", f"The candidate {_gain(counts, name)}.")
    if held_out.won - held_out.lost >= MIN_GAIN and held_out.p < SIGNIFICANCE:
        return Decision("better", f"The candidate {_gain(held_out, 'labelled photos')}.")
    if held_out.n >= MIN_PHOTOS:
        return Decision("as_good", f"The candidate {_gain(held_out, 'labelled photos')}, which may be chance.")
    photos = plural(held_out.n, "labelled photo")
    return Decision("too_few", f"Only {held_out.n} {photos} could be judged; at least {MIN_PHOTOS} are needed.")


def keeps(guard: Comparison) -> bool:
    """Whether a candidate keeps enough of the guard's photos right."""
    return guard.lost - guard.won <= GUARD_LOSS * guard.n


def _gain(counts: Comparison, name: str) -> str:
    return f"wins {counts.won} and loses {counts.lost} of {counts.n:,} {name} (p = {counts.p:.2g})"
