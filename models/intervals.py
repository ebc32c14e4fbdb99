"""Confidence intervals of counted shares."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Computes Wilson's score interval of a share (Wilson 1927), clipped to [0, 1].

    Not scipy's `binomtest`: importing scipy.stats costs the review page over a second and 70 MB.

    Args:
        successes: Number of successes.
        n: Number of trials, n ≥ 1.
        level: Confidence level.

    Returns:
        The lower and the upper bound.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half_width = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half_width), min(1.0, centre + half_width)
