"""The models of a root, as far as the choice of photos to label depends on them."""

from pathlib import Path
from typing import NamedTuple

from daemon.pipeline import loaded_model
from daemon.registry import learned
from daemon.settings import Settings


class Models(NamedTuple):
    """The live model and the newest learned one.

    Attributes:
        live_sha256: SHA-256 of the live model, as in the table `models`.
        candidate_sha256: SHA-256 of the candidate, which judges new photos silently; None without one.
        asked_again: SHA-256 of the photos whose labels contradict similar photos, by the newest learned model.
    """

    live_sha256: str
    candidate_sha256: str | None = None
    asked_again: tuple[str, ...] = ()


def read(root: Path, settings: Settings) -> Models:
    """Reads the models of a root. Raises BundleError."""
    configured = settings.model.bundle
    found = learned.learned_models(root, configured)
    candidate = learned.candidate(root, configured)
    return Models(
        live_sha256=loaded_model.sha256(root, settings),
        candidate_sha256=candidate.sha256 if candidate else None,
        asked_again=found[0].judgement.asked_again if found else (),
    )
