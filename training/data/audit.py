"""What a data set is like before a model learns from it, and which training photos it must not learn from."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from training.data import duplicates, shortcuts
from training.data.dataset import CLASSES, SPLITS
from training.data.manifest import COLUMNS
from training.data.shortcuts import Shortcut
from training.fitting.features import Unreadable

SMALL_CLASS = 0.2
"""Share of a split below which its rarer label is worth a word: accuracy then says little about it."""
ONE_SIDED = 0.9
"""Share of photos from sources with one label alone above which the label may be learned from the source's manner."""


class Twins(NamedTuple):
    """Two photos that are one: each by path, label (1 = food) and split; `bits` of 128 differ, `exact`: the same bytes."""

    path: str
    label: int
    split: str
    twin: str
    twin_label: int
    twin_split: str
    bits: int
    exact: bool


class Looks(NamedTuple):
    """What the readable photos of one label are like: medians in pixels and bytes, and how many are in each format."""

    label: str
    width: float
    height: float
    bytes: float
    sharpness: float
    formats: dict[str, int]


@dataclass(frozen=True)
class Audit:
    """What was found.

    frame: the data set without the training photos of `leaks`, columns as from `dataset.read`.
    photos: how many there are, by split and label, before any left.
    duplicates: all twins; leaks: one pair for each training photo (`path`) that is in validation or evaluation too.
    one_sided: share of the photos of known source that come from a source with one label alone; None when none is known.
    warnings: sentences for the person who trains.
    """

    frame: pd.DataFrame
    photos: dict[str, dict[str, int]]
    unreadable: list[Unreadable]
    duplicates: list[Twins]
    leaks: list[Twins]
    looks: list[Looks]
    shortcuts: list[Shortcut]
    one_sided: float | None
    warnings: list[str]


def audit(facts: pd.DataFrame, seed: int) -> Audit:
    """Judges a data set by the facts of its photos, as from `facts.gather`; `seed` seeds the shallow models."""
    facts = facts.reset_index(drop=True)
    readable = facts[facts["kind"] == ""]
    twins = duplicates.find(readable)
    leaks = readable.index[[pair.first for pair in twins.leaks]]
    kept = readable.drop(leaks)
    found: dict[str, Any] = {
        "photos": {split: _counts(facts[facts["split"] == split]) for split in SPLITS if split in set(facts["split"])},
        "unreadable": [
            Unreadable(*row) for row in facts.loc[facts["kind"] != "", ["path", "kind", "message"]].to_numpy()
        ],
        "duplicates": _twins(readable, twins.pairs),
        "leaks": _twins(readable, twins.leaks),
        "looks": [
            _looks(name, kept[kept["label"] == label])
            for label, name in enumerate(CLASSES)
            if label in set(kept["label"])
        ],
        "shortcuts": shortcuts.measure(kept, seed),
        "one_sided": _one_sided(kept),
    }
    frame = facts.drop(leaks)[COLUMNS].reset_index(drop=True)
    return Audit(frame=frame, warnings=_warnings(**found), **found)


def _counts(facts: pd.DataFrame) -> dict[str, int]:
    return {name: int((facts["label"] == label).sum()) for label, name in enumerate(CLASSES)}


def _twins(readable: pd.DataFrame, pairs: list[duplicates.Pair]) -> list[Twins]:
    photos = list(zip(readable["path"], readable["label"].tolist(), readable["split"], strict=True))
    return [Twins(*photos[pair.first], *photos[pair.second], pair.bits, pair.exact) for pair in pairs]


def _looks(name: str, readable: pd.DataFrame) -> Looks:
    width, height, size, sharpness = readable[["width", "height", "bytes", "sharpness"]].median().tolist()
    formats = {str(key): int(n) for key, n in readable["format"].value_counts().items()}
    return Looks(name, width, height, size, sharpness, formats)


def _one_sided(readable: pd.DataFrame) -> float | None:
    known = readable[readable["source"] != ""]
    if known.empty:
        return None
    return float((known.groupby("source")["label"].transform("nunique") == 1).mean())


def _warnings(
    photos: dict[str, dict[str, int]],
    unreadable: list[Unreadable],
    duplicates: list[Twins],
    leaks: list[Twins],
    shortcuts: list[Shortcut],
    one_sided: float | None,
    **_: Any,
) -> list[str]:
    said = []
    if unreadable:
        said.append(f"{len(unreadable)} photos cannot be read and are left out")
    if leaks:
        said.append(f"{len(leaks)} training photos are in validation or evaluation too and leave training")
    if across := sum({one.split, one.twin_split} == {"validation", "evaluation"} for one in duplicates):
        said.append(
            f"{across} pairs of twins lie in validation and evaluation; move them to one side for honest figures"
        )
    if torn := sum(one.label != one.twin_label for one in duplicates):
        said.append(f"{torn} pairs of twins have different labels; one of the two is wrong")
    for split, counts in photos.items():
        rarer = min(counts, key=lambda name: counts[name])
        if (share := counts[rarer] / sum(counts.values())) < SMALL_CLASS:
            said.append(f"only {share:.0%} of {split} is {rarer}; read precision and recall rather than accuracy")
    said += [
        f"{one.given} alone: {one.accuracy:.1%} of validation right, far above the {one.majority:.1%} of always guessing "
        "the commoner label; a model may learn that instead of food"
        for one in shortcuts
        if one.suspicious
    ]
    if one_sided is not None and one_sided > ONE_SIDED:
        said.append(f"{one_sided:.0%} of the photos come from sources with one label alone; add sources that have both")
    return said
