"""Training photos whose features are much like those of a held-out photo, such as crops of one stock photo."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MIN_COSINE = 0.80
"""Photos with features nearer than this often show the same scene, which perceptual hashes miss."""
_CHUNK = 1024


class SimilarPair(NamedTuple):
    """A training photo and the held-out photo that is most like it.

    Attributes:
        path: The training photo.
        twin: The held-out photo.
        cosine: Cosine of the angle between their features.
    """

    path: str
    twin: str
    cosine: float


def find(
    training: npt.NDArray[np.float32], paths: list[str], held_out: npt.NDArray[np.float32], held_out_paths: list[str]
) -> list[SimilarPair]:
    """Finds the training photos that are like a held-out one, the most similar first.

    Args:
        training: Directions of the features of training photos, of length 1, (n, d).
        paths: Their paths (n).
        held_out: The same of held-out photos, (m, d).
        held_out_paths: Their paths (m).
    """
    pairs = []
    for start in range(0, len(training), _CHUNK):
        cosines = training[start : start + _CHUNK] @ held_out.T
        nearest = cosines.argmax(axis=1)
        for row, column in enumerate(nearest):
            cosine = float(cosines[row, column])
            if cosine >= MIN_COSINE:
                pairs.append(SimilarPair(paths[start + row], held_out_paths[column], cosine))
    return sorted(pairs, key=lambda pair: -pair.cosine)
