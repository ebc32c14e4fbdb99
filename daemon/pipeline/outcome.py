"""What becomes of a photo: the network's verdict, or the reason why there is none."""

from dataclasses import dataclass

import numpy as np

from daemon.database.rows import PhotoRow, PriorRecord
from daemon.database.timestamps import format_mtime, format_time
from daemon.photo import Destination, Failure, Prediction
from daemon.pipeline.decode import Decoded
from models import Label
from models.bundle import Card
from models.decision import label, probability
from models.engines import Engine
from models.filenames import escape_name


@dataclass(frozen=True)
class Outcome:
    """A photo and either its verdict or its failure.

    duplicate_of: the row of a filed photo of the same bytes, because of which this one is set aside.
    """

    decoded: Decoded
    known: PriorRecord
    verdict: Prediction | None
    failure: Failure | None
    duplicate_of: int | None = None

    @property
    def fate(self) -> Destination:
        """Where it goes: by what a person said of the same bytes, else by what the network says."""
        return "duplicate" if self.verdict and self.duplicate_of is not None else self.label

    @property
    def label(self) -> Label | None:
        """A person's label for the same bytes, else the network's; None for a failure."""
        if self.verdict is None:
            return None
        return self.known.review.label if self.known.review else self.verdict.label

    @property
    def attempts(self) -> int:
        """How often it was tried, in all."""
        return self.decoded.attempts + (self.known.previous.attempts if self.known.previous else 0)

    def row(self, target: bytes, now: str) -> PhotoRow:
        """The row of a photo that was classified at `now` and is about to move to `target`."""
        claimed, picture, previous = self.decoded.claimed, self.decoded.picture, self.known.previous
        return PhotoRow(
            path=target,
            inbox_path=claimed.path,
            run_id=claimed.run_id.decode(),
            identity=claimed.identity,
            sha256=self.decoded.sha256,
            size_bytes=claimed.stat.st_size,
            modified_at=format_mtime(claimed.stat.st_mtime_ns),
            format=picture and picture.format,
            width=picture and picture.width,
            height=picture and picture.height,
            taken_at=picture and picture.exif.taken_at,
            taken_offset=picture and picture.exif.taken_offset,
            camera=picture and picture.exif.camera and escape_name(picture.exif.camera),
            logit=self.verdict.logit if self.verdict else None,
            probability=self.verdict.probability if self.verdict else None,
            predicted_label=self.verdict.label if self.verdict else None,
            error_kind=self.failure.kind if self.failure else None,
            error_message=self.failure.message if self.failure else None,
            claimed_at=format_time(claimed.claimed_at),
            classified_at=now if self.verdict else None,
            duplicate_of=self.duplicate_of,
            attempts=self.attempts,
            first_failed_at=(previous and previous.first_failed_at) or (now if self.failure else None),
        )


def judge(batch: list[Decoded], known: list[PriorRecord], engine: Engine, card: Card, *, unsure: bool) -> list[Outcome]:
    """Runs the network in one go over those pictures of a batch whose logits are not known.

    The photos without a picture are failures already.
    """
    pairs = [(photo.picture.pixels, of.logit) for photo, of in zip(batch, known, strict=True) if photo.picture]
    pictures = [pixels for pixels, logit in pairs if logit is None]
    fresh = iter(engine.logits(np.stack(pictures)) if pictures else ())
    logits = [next(fresh) if logit is None else logit for _, logit in pairs]
    verdicts = (
        Prediction(float(logit), float(p), label(float(p), card.thresholds, unsure=unsure))
        for logit, p in zip(logits, probability(logits, card.temperature), strict=True)
    )
    return [
        Outcome(photo, of, None, Failure(photo.error.kind, str(photo.error)))
        if photo.error
        else Outcome(photo, of, next(verdicts), None)
        for photo, of in zip(batch, known, strict=True)
    ]
