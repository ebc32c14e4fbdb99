"""The feature bank of a bundle: the features of its photos, from which heads can be fitted again without the photos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from training.fitting.features import Features, Labels


class BankSplit(NamedTuple):
    """The features of the photos of a split.

    Attributes:
        positions: By side (pixels), the photos in the space of the head's kernels, float32 (n, k).
        labels: int (n,), 1 = food.
        sources: Source of each photo (n), "" if unknown.
        weights: Weight of each photo in the training (n,).
    """

    positions: dict[int, Features]
    labels: Labels
    sources: list[str]
    weights: npt.NDArray[np.floating]


def save(path: Path, bank: Mapping[str, BankSplit]) -> None:
    """Writes the splits `training` and `guard`, which no training has seen, to a file of arrays, `.npz`.

    Features are stored as float16: the kernels' exponents change by less than 0.01.
    """
    arrays: dict[str, Any] = {}
    for name, split in bank.items():
        for side, positions in split.positions.items():
            arrays[f"{name}.{side}"] = positions.astype(np.float16)
        arrays[f"{name}.labels"] = split.labels.astype(np.int8)
        # Names once, and their numbers.
        sources, numbers = np.unique(split.sources, return_inverse=True)
        arrays[f"{name}.sources"] = sources
        arrays[f"{name}.source_numbers"] = numbers.astype(np.int32)
        arrays[f"{name}.weights"] = split.weights.astype(np.float32)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: Path) -> dict[str, BankSplit]:
    """Reads the splits of a feature bank; raises OSError, ValueError or KeyError if the file is none."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        names = dict.fromkeys(name.partition(".")[0] for name in arrays.files)
        return {name: _split(arrays, name) for name in names}


def _split(arrays: Any, name: str) -> BankSplit:
    keys = [key.partition(".")[2] for key in arrays.files if key.startswith(f"{name}.")]
    return BankSplit(
        positions={int(key): arrays[f"{name}.{key}"].astype(np.float32) for key in keys if key.isdigit()},
        labels=arrays[f"{name}.labels"].astype(np.int64),
        sources=[str(source) for source in arrays[f"{name}.sources"][arrays[f"{name}.source_numbers"]]],
        weights=arrays[f"{name}.weights"],
    )
