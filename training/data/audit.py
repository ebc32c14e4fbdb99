"""Audits a data set before a training, and removes the training photos that leak from held-out splits."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from training.data import duplicates, shortcuts
from training.data.dataset import CLASSES, SPLITS
from training.data.image_facts import ImageFacts
from training.data.layout import LeftOut
from training.data.shortcuts import Shortcut
from training.fitting.features import UnreadablePhoto

MIN_CLASS_SHARE = 0.2
"""Share of a split below which its rarer label gives a warning, because accuracy says little about that label."""
MAX_ONE_SIDED_SHARE = 0.9
"""Share of photos from sources with one label only above which a model may learn the style of the sources."""


class DuplicatePair(NamedTuple):
    """Two photos that are duplicates.

    Attributes:
        path: Path of a photo.
        label: Its label, 1 = food.
        split: Its split.
        other_path: Path of the other photo.
        other_label: Its label.
        other_split: Its split.
        bits: Number of the 128 hash bits that differ.
        exact: Whether the bytes are the same.
    """

    path: str
    label: int
    split: str
    other_path: str
    other_label: int
    other_split: str
    bits: int
    exact: bool


class ClassStatistics(NamedTuple):
    """The readable photos of one label.

    Attributes:
        label: Name of the label.
        width: Median, in pixels.
        height: Median, in pixels.
        bytes: Median file size.
        sharpness: Median, see `ImageFacts`.
        formats: Number of photos by format.
    """

    label: str
    width: float
    height: float
    bytes: float
    sharpness: float
    formats: dict[str, int]


@dataclass(frozen=True)
class Audit:
    """The results of an audit.

    Attributes:
        frame: The data set without the training photos of `leaks`, columns as from `dataset.read`.
        counts: Photos by split and label, before any are removed.
        unreadable: Photos that cannot be decoded.
        duplicates: All pairs of duplicates.
        leaks: For each training photo (`path`) that is also in validation or evaluation, its closest duplicate there.
        class_statistics: One for each label.
        shortcuts: The performance of shallow models that do not see the picture's content.
        one_sided_share: Share of the photos with a known source that come from sources with one label only; None if no
            source is known.
        warnings: Sentences for the person who trains.
        left_out: Files that are no labelled photos.
        notes: Sentences about what else was ignored.
    """

    frame: pd.DataFrame
    counts: dict[str, dict[str, int]]
    unreadable: list[UnreadablePhoto]
    duplicates: list[DuplicatePair]
    leaks: list[DuplicatePair]
    class_statistics: list[ClassStatistics]
    shortcuts: list[Shortcut]
    one_sided_share: float | None
    warnings: list[str]
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def audit(facts: pd.DataFrame, seed: int) -> Audit:
    """Audits a data set.

    Args:
        facts: As from `image_facts.gather`.
        seed: Seeds the shallow models.
    """
    facts = facts.reset_index(drop=True)
    readable = facts[facts["kind"] == ""]
    duplicate_rows = duplicates.find(readable)
    leaked_rows = readable.index[[pair.first for pair in duplicate_rows.leaks]]
    kept = readable.drop(leaked_rows)
    splits = [split for split in SPLITS if split in set(facts["split"])]
    labels = [(label, name) for label, name in enumerate(CLASSES) if label in set(kept["label"])]
    errors = facts.loc[facts["kind"] != "", ["path", "kind", "message"]].to_numpy()
    audited = Audit(
        frame=facts.drop(leaked_rows).drop(columns=list(ImageFacts._fields)).reset_index(drop=True),
        counts={split: _counts(facts[facts["split"] == split]) for split in splits},
        unreadable=[UnreadablePhoto(path=path, kind=kind, message=message) for path, kind, message in errors],
        duplicates=_describe(readable, duplicate_rows.pairs),
        leaks=_describe(readable, duplicate_rows.leaks),
        class_statistics=[_class_statistics(name, kept[kept["label"] == label]) for label, name in labels],
        shortcuts=shortcuts.measure(kept, seed),
        one_sided_share=_one_sided_share(kept),
        warnings=[],
    )
    return dataclasses.replace(audited, warnings=list(_warnings(audited)))


def _counts(facts: pd.DataFrame) -> dict[str, int]:
    return {name: int((facts["label"] == label).sum()) for label, name in enumerate(CLASSES)}


def _describe(readable: pd.DataFrame, pairs: list[duplicates.RowPair]) -> list[DuplicatePair]:
    photos = list(zip(readable["path"], readable["label"].tolist(), readable["split"], strict=True))
    described = []
    for pair in pairs:
        path, label, split = photos[pair.first]
        other_path, other_label, other_split = photos[pair.second]
        described.append(
            DuplicatePair(
                path=path,
                label=label,
                split=split,
                other_path=other_path,
                other_label=other_label,
                other_split=other_split,
                bits=pair.bits,
                exact=pair.exact,
            )
        )
    return described


def _class_statistics(name: str, readable: pd.DataFrame) -> ClassStatistics:
    width, height, size, sharpness = readable[["width", "height", "bytes", "sharpness"]].median().tolist()
    return ClassStatistics(
        label=name,
        width=width,
        height=height,
        bytes=size,
        sharpness=sharpness,
        formats={str(key): int(n) for key, n in readable["format"].value_counts().items()},
    )


def _one_sided_share(readable: pd.DataFrame) -> float | None:
    with_source = readable[readable["source"] != ""]
    if with_source.empty:
        return None
    return float((with_source.groupby("source")["label"].transform("nunique") == 1).mean())


def _warnings(audited: Audit) -> Iterator[str]:
    if audited.unreadable:
        yield f"unreadable photos, left out: {len(audited.unreadable)}"
    if audited.leaks:
        yield (
            f"training photos with a duplicate in validation or evaluation, removed from training: {len(audited.leaks)}"
        )
    held_out = {"validation", "evaluation"}
    if across := sum({pair.split, pair.other_split} == held_out for pair in audited.duplicates):
        yield (
            f"pairs of duplicates across validation and evaluation: {across}; "
            "move both photos to one split, or the metrics are biased"
        )
    if contradictory := sum(pair.label != pair.other_label for pair in audited.duplicates):
        yield f"pairs of duplicates with different labels: {contradictory}; correct the wrong label of each pair"
    for split, counts in audited.counts.items():
        rarer = min(counts, key=lambda name: counts[name])
        if (share := counts[rarer] / sum(counts.values())) < MIN_CLASS_SHARE:
            yield f"only {share:.0%} of {split} is {rarer}; read precision and recall rather than accuracy"
    for shortcut in audited.shortcuts:
        if shortcut.suspicious:
            yield (
                f'shortcut "{shortcut.features}": a model that sees nothing else is right on {shortcut.accuracy:.1%} '
                f"of validation, far above the {shortcut.majority:.1%} of always guessing the more frequent label; the "
                "network may learn the shortcut instead of food"
            )
    share_of_one_sided = audited.one_sided_share
    if share_of_one_sided is not None and share_of_one_sided > MAX_ONE_SIDED_SHARE:
        yield (
            f"{share_of_one_sided:.0%} of the photos come from sources with one label only; "
            "add sources that have both labels"
        )
