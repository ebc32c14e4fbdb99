"""The judgement of a candidate, from the photos of a person and of the guard."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import numpy as np

from models.bundle import Bundle
from models.decision import Floats, Thresholds
from models.judgement import JUDGEMENT, Comparison, JudgedPhoto, Judgement, load_judgement
from training.fitting.feature_bank import BankSplit
from training.fitting.features import Labels
from training.learning import verdict
from training.learning.candidate import Candidate
from training.learning.judge import Reader, count
from training.learning.photos import Photos


class Judged(NamedTuple):
    """One set of photos and what two models say of them.

    Attributes:
        counts: Won and lost photos.
        sha256s: SHA-256 of the photos (n).
        labels: int (n,), 1 = food.
        p_live: P(food) by the live model, (n,).
        p_candidate: P(food) by the candidate, (n,).
    """

    counts: Comparison
    sha256s: Sequence[str]
    labels: Labels
    p_live: Floats
    p_candidate: Floats


class Sets(NamedTuple):
    """The sets of photos of a judgement; see `models.judgement.Judgement`."""

    guard: Judged
    held_out: Judged
    audit: Judged


def judge(
    live: Reader, candidate: Candidate, guard: BankSplit, own: Photos, audit: Photos, earlier: dict[str, float]
) -> Sets:
    """Judges a candidate.

    Args:
        live: The live model.
        candidate: The candidate.
        guard: The guard.
        own: The photos that it was fitted to; they are judged out of fold.
        audit: The audit sample.
        earlier: P(food) of photos that the live model was fitted to, out of fold, by SHA-256. It would be right on them
            by heart, and each later candidate would look worse.
    """
    reader = Reader(candidate.heads, candidate.cascade, candidate.thresholds)
    thresholds = (live.thresholds, candidate.thresholds)
    p_own = live.p_food(own.positions)
    p_live = np.array([earlier.get(sha256, p) for sha256, p in zip(own.sha256s, p_own, strict=True)], np.float64)
    nameless = [""] * len(guard.labels)
    return Sets(
        guard=_judged(nameless, guard.labels, live.p_food(guard.positions), reader.p_food(guard.positions), thresholds),
        held_out=_judged(own.sha256s, own.labels, p_live, candidate.p_held_out, thresholds),
        audit=_judged(
            audit.sha256s, audit.labels, live.p_food(audit.positions), reader.p_food(audit.positions), thresholds
        ),
    )


def _judged(
    sha256s: Sequence[str],
    labels: Labels,
    p_live: Floats,
    p_candidate: Floats,
    thresholds: tuple[Thresholds, Thresholds],
) -> Judged:
    return Judged(count(p_live, p_candidate, labels, thresholds), sha256s, labels, p_live, p_candidate)


def earlier_out_of_fold(live: Bundle) -> dict[str, float]:
    """Returns what a learned live model said, out of fold, of the photos that it was fitted to; {} if it is not learned.

    Raises:
        BundleError: The live model's judgement is damaged.
    """
    if live.card.base is None or not (live.folder / JUDGEMENT).exists():
        return {}
    judgement = load_judgement(live.folder)
    return {photo.sha256: photo.candidate for photo in judgement.photos if photo.set == "held_out"}


def compose(sets: Sets, candidate: Candidate, *, base: Bundle, live: Bundle, bundle: Bundle) -> Judgement:
    """Returns the judgement.

    Args:
        sets: The judged photos.
        candidate: The candidate.
        base: The bundle that it stands on.
        live: The live bundle.
        bundle: The candidate's bundle.
    """
    decision = verdict.decide(sets.guard.counts, sets.held_out.counts, sets.audit.counts)
    return Judgement(
        verdict=decision.verdict,
        reason=decision.reason,
        labels=len(sets.held_out.labels),
        weight=candidate.weight,
        base=base.sha256,
        against=live.sha256,
        candidate=bundle.sha256,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        guard=sets.guard.counts,
        held_out=sets.held_out.counts,
        audit=sets.audit.counts,
        asked_again=tuple(sets.held_out.sha256s[row] for row in np.flatnonzero(candidate.asked_again).tolist()),
        photos=(*_photos(sets.held_out, "held_out"), *_photos(sets.audit, "audit")),
    )


def _photos(judged: Judged, name: Literal["held_out", "audit"]) -> list[JudgedPhoto]:
    columns = (judged.sha256s, judged.labels.tolist(), judged.p_live.tolist(), judged.p_candidate.tolist())
    return [
        JudgedPhoto(sha256=sha256, label="food" if label else "non_food", set=name, live=live, candidate=candidate)
        for sha256, label, live, candidate in zip(*columns, strict=True)
    ]
