"""The card of a learned model."""

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version

from models import __version__
from models.bundle import Bundle, Card
from models.reference import Reference
from training.evaluation.metrics import compute_metrics
from training.learning.candidate import Candidate
from training.learning.result import Sets

_LIBRARIES = ("numpy", "scipy", "openvino")


def describe(base: Bundle, candidate: Candidate, sets: Sets) -> Card:
    """Returns the card of a candidate: the base's with other heads, calibration and metrics.

    Its metrics are those on the guard, and on the person's photos out of fold.
    """
    own = sets.held_out
    lines = "".join(sorted(f"{label} {sha256}\n" for label, sha256 in zip(own.labels, own.sha256s, strict=True)))
    metrics = {
        name: dict(compute_metrics(judged.p_candidate, judged.labels, candidate.thresholds.food))
        for name, judged in (("guard", sets.guard), ("held_out", own))
    }
    learned = {"labels": len(own.labels), "asked_again": int(candidate.asked_again.sum()), "weight": candidate.weight}
    return base.card.model_copy(
        update={
            "base": base.sha256,
            "created_at": datetime.now(UTC),
            "cascade": candidate.cascade,
            "thresholds": candidate.thresholds,
            "recipe": base.card.recipe | {"learned": learned},
            "metrics": metrics,
            "reference": Reference.of(sets.guard.p_candidate, candidate.thresholds),
            "data_sha256": hashlib.sha256((base.card.data_sha256 + lines).encode()).hexdigest(),
            "libraries": {"foodsort": __version__} | {name: version(name) for name in _LIBRARIES},
        }
    )
