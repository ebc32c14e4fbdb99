"""The models of a root, as far as the choice of photos to label depends on them."""

from pathlib import Path
from typing import NamedTuple

from daemon.pipeline import loaded_model
from daemon.settings import Settings


class Models(NamedTuple):
    """The live model and the newest candidate.

    Attributes:
        live_sha256: SHA-256 of the live model, as in the table `models`.
        candidate_sha256: SHA-256 of the candidate; None without one.
        asked_again: SHA-256 of the photos whose labels the candidate's training found to contradict similar photos.
    """

    live_sha256: str
    candidate_sha256: str | None = None
    asked_again: tuple[str, ...] = ()


def read(root: Path, settings: Settings) -> Models:
    """Reads the models of a root. Raises BundleError."""
    return Models(loaded_model.sha256(root, settings))
