"""What becomes of a photo: the network's verdict, or the reason why there is none."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from daemon.decode import Decoded
from daemon.schema import text
from models.bundle import Card
from models.decision import Label, label, probability
from models.engines import Engine


@dataclass(frozen=True)
class Verdict:
    """What the network said of a photo: its logit, the calibrated P(food) and the label that follows."""

    logit: float
    probability: float
    label: Label


@dataclass(frozen=True)
class Failure:
    """Why a photo was not classified: kind for programs, message for people."""

    kind: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """A photo and either its verdict or its failure."""

    decoded: Decoded
    verdict: Verdict | None
    failure: Failure | None

    @property
    def label(self) -> Label | None:
        """The label, None for a failure."""
        return self.verdict.label if self.verdict else None

    def row(self, target: bytes, classified_at: str) -> dict[str, Any]:
        """Columns of the table `photos` for a photo that is about to move to `target`."""
        claimed, picture = self.decoded.claimed, self.decoded.picture
        return {
            "path_bytes": target,
            "inbox_path_bytes": claimed.path,
            "generation": claimed.generation.decode(),
            "identity": claimed.identity,
            "sha256": self.decoded.sha256,
            "size_bytes": claimed.stat.st_size,
            "modified_at": text(datetime.fromtimestamp(claimed.stat.st_mtime, UTC)),
            "format": picture and picture.format,
            "width": picture and picture.width,
            "height": picture and picture.height,
            "logit": self.verdict and self.verdict.logit,
            "probability": self.verdict and self.verdict.probability,
            "predicted_label": self.label,
            "error_kind": self.failure and self.failure.kind,
            "error_message": self.failure and self.failure.message,
            "claimed_at": text(claimed.at),
            "classified_at": classified_at if self.verdict else None,
        }


def judge(batch: list[Decoded], engine: Engine, card: Card, *, unsure: bool) -> list[Outcome]:
    """Runs the network over the pictures of a batch in one go; the photos without one are failures already."""
    pictures = [photo.picture.pixels for photo in batch if photo.picture]
    logits = engine.logits(np.stack(pictures)) if pictures else np.zeros(0, np.float32)
    verdicts = (
        Verdict(float(logit), float(p), label(float(p), card.thresholds, unsure=unsure))
        for logit, p in zip(logits, probability(logits, card.temperature), strict=True)
    )
    return [
        Outcome(photo, None, Failure(photo.error.kind, str(photo.error)))
        if photo.error
        else Outcome(photo, next(verdicts), None)
        for photo in batch
    ]
