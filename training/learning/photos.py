"""A person's photos, ready to learn from: one of each file, grouped, and the audit sample apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.errors import FoodsortError
from models.plurals import plural
from training.fitting.feature_bank import BankSplit
from training.fitting.features import Features
from training.fitting.features import Labels as Integers
from training.learning import groups, labels
from training.learning.extraction import Extracted
from training.learning.heads import PersonsPhotos
from training.learning.labels import LabelledPhoto


class Photos(NamedTuple):
    """Readable photos, one of each file.

    Attributes:
        photos: From the data set (n).
        sha256s: (n,).
        positions: By side (pixels), float32 (n, k).
        groups: Numbers of the groups of copies and bursts, (n,).
    """

    photos: list[LabelledPhoto]
    sha256s: list[str]
    positions: dict[int, Features]
    groups: Integers

    def subset(self, chosen: npt.NDArray[np.bool_]) -> "Photos":
        """Returns the photos of a mask (n,)."""
        rows = np.flatnonzero(chosen)
        return Photos(
            [self.photos[row] for row in rows],
            [self.sha256s[row] for row in rows],
            {side: at[rows] for side, at in self.positions.items()},
            self.groups[rows],
        )

    @property
    def labels(self) -> Integers:
        """Int (n,), 1 = food."""
        return np.array([photo.label for photo in self.photos], np.int64)

    @property
    def paths(self) -> dict[str, str]:
        """The file of each photo by its SHA-256."""
        return {sha256: photo.path for sha256, photo in zip(self.sha256s, self.photos, strict=True)}

    def to_fit(self) -> PersonsPhotos:
        """Returns what a fit takes of them."""
        asked = np.array([photo.asked for photo in self.photos], np.int64)
        return PersonsPhotos(self.positions, self.labels, self.groups, asked)


class Division(NamedTuple):
    """The photos to learn from, the audit sample, and sentences about what was left out."""

    own: Photos
    audit: Photos
    notes: list[str]


def divide(photos: Sequence[LabelledPhoto], extracted: Extracted) -> Division:
    """Divides photos. A photo of a group with one of the audit sample is left out.

    Args:
        photos: The photos of the data set.
        extracted: Those that are readable.

    Raises:
        FoodsortError: There is no photo to learn from.
    """
    if not extracted.rows:
        raise FoodsortError(f"none of the {len(photos)} labelled photos could be read; label others, or restore them")
    distinct, notes = _distinct([photos[row] for row in extracted.rows], extracted)
    is_audit = np.array([photo.is_audit for photo in distinct.photos], bool)
    is_like_audit = ~is_audit & np.isin(distinct.groups, distinct.groups[is_audit])
    if left_out := int(is_like_audit.sum()):
        notes.append(f"{left_out} {plural(left_out, 'photo')} left out, because the audit sample has the like")
    own = distinct.subset(~is_audit & ~is_like_audit)
    if not own.photos:
        raise FoodsortError(
            f"there is no photo to learn from: {int(is_audit.sum())} of the {len(is_audit)} readable ones are the audit "
            f"sample, and {left_out} are like one of it; label more photos"
        )
    return Division(own, distinct.subset(is_audit), notes)


def _distinct(readable: list[LabelledPhoto], extracted: Extracted) -> tuple[Photos, list[str]]:
    rows, contradictory = labels.without_copies(readable, extracted.sha256s)
    kept = [readable[row] for row in rows]
    sha256s = [extracted.sha256s[row] for row in rows]
    positions = {side: at[rows] for side, at in extracted.positions.items()}
    cameras, times = [photo.camera for photo in kept], [photo.taken_at for photo in kept]
    numbers = groups.group(next(iter(positions.values())), sha256s, cameras, times)
    counted = "the label given most often counts, else the last one"
    notes = [f"{contradictory} {plural(contradictory, 'photo')} with two labels: {counted}"] if contradictory else []
    return Photos(kept, sha256s, positions, numbers), notes


def unlike(guard: BankSplit, photos: Photos) -> BankSplit:
    """Leaves photos out of a guard that a person has too: a head may have been fitted to them."""
    side, positions = next(iter(photos.positions.items()))
    alike = {row for _, row in groups.near_pairs(positions, guard.positions[side])}
    rows = [row for row in range(len(guard.labels)) if row not in alike]
    return BankSplit(
        positions={side: at[rows] for side, at in guard.positions.items()},
        labels=guard.labels[rows],
        sources=[guard.sources[row] for row in rows],
        weights=guard.weights[rows],
    )
