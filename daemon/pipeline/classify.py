"""Classifies a batch: each photo gets a prediction, or the failure that prevented one."""

from dataclasses import dataclass

import numpy as np

from daemon.database.rows import KnownLogit, PhotoRow, PriorRecord
from daemon.database.timestamps import format_mtime, format_time
from daemon.photo import Destination, Failure, Prediction
from daemon.pipeline.decode import Decoded
from models import Label
from models.bundle import Bundle, Card
from models.cascade import Looks, look, look_with_all
from models.decision import label, probability
from models.engines.base import Engine
from models.errors import ImageError, ImageErrorKind
from models.filenames import escape_name
from models.images.decode import Pixels


@dataclass(frozen=True)
class Outcome:
    """A photo with its prediction or its failure.

    Attributes:
        decoded: The photo.
        prior: Its earlier records in the database.
        prediction: Output of the network; None for a failure.
        failure: Reason why there is no prediction; None for a file that is no image and has a folder of its own.
        duplicate_of: Row of a filed photo of the same bytes, because of which this one is set aside.
        candidate: What the candidate says; None without one, or if the network did not see the photo.
    """

    decoded: Decoded
    prior: PriorRecord
    prediction: Prediction | None
    failure: Failure | None
    duplicate_of: int | None = None
    candidate: Prediction | None = None

    @property
    def destination(self) -> Destination:
        """Folder of the photo; a person's label for the same bytes counts before the network's."""
        if self.prediction is None:
            return None if self.failure else "other"
        return "duplicate" if self.duplicate_of is not None else self.label

    @property
    def label(self) -> Label | None:
        """A person's label for the same bytes, else the network's; None for a failure."""
        if self.prediction is None:
            return None
        return self.prior.review.label if self.prior.review else self.prediction.label

    @property
    def attempts(self) -> int:
        """Number of attempts, those of an earlier row included."""
        return self.decoded.attempts + (self.prior.previous.attempts if self.prior.previous else 0)

    def row(self, target: bytes, now: str) -> PhotoRow:
        """Returns the row of a photo that was classified `now` and is about to move to `target`."""
        claimed = self.decoded.claimed
        picture = self.decoded.picture
        camera = picture.exif.camera if picture else None
        prediction = self.prediction
        failure = self.failure
        first_failed_at = self.prior.previous.first_failed_at if self.prior.previous else None
        return PhotoRow(
            path=target,
            inbox_path=claimed.path,
            run_id=claimed.run_id.decode(),
            identity=claimed.identity,
            sha256=self.decoded.sha256,
            size_bytes=claimed.stat.st_size,
            modified_at=format_mtime(claimed.stat.st_mtime_ns),
            claimed_at=format_time(claimed.claimed_at),
            original=claimed.original,
            candidate=self.candidate,
            classified_at=now if prediction else None,
            format=picture.format if picture else None,
            width=picture.width if picture else None,
            height=picture.height if picture else None,
            taken_at=picture.exif.taken_at if picture else None,
            taken_offset=picture.exif.taken_offset if picture else None,
            camera=escape_name(camera) if camera else camera,
            logit=prediction.logit if prediction else None,
            look=prediction.look if prediction else None,
            probability=prediction.probability if prediction else None,
            predicted_label=prediction.label if prediction else None,
            error_kind=failure.kind if failure else None,
            error_message=failure.message if failure else None,
            duplicate_of=self.duplicate_of,
            attempts=self.attempts,
            first_failed_at=first_failed_at or (now if failure else None),
        )


def run_network(pixels: Pixels, engine: Engine, card: Card) -> list[KnownLogit]:
    """Computes the logits of photos, with one look or two.

    Args:
        pixels: uint8 RGB (n, side, side, 3), n ≥ 1.
        engine: Engine of the model.
        card: Card of the model, for the cascade.

    Raises:
        EngineError: The engine failed.
    """
    return _logits(look(engine.logits, pixels, card.cascade))


def run_both(pixels: Pixels, engine: Engine, bundle: Bundle) -> tuple[list[KnownLogit], list[KnownLogit]]:
    """Computes the logits of photos by a model and by its candidate; the arguments are those of `run_network`.

    Returns:
        The logits by the model, and those by the candidate: none without one.
    """
    if bundle.candidate is None:
        return run_network(pixels, engine, bundle.card), []
    cascades = [model.card.cascade for model in bundle.all_models]
    first, second = map(_logits, look_with_all(engine.all_logits, pixels, cascades))
    return first, second


def _logits(looks: Looks) -> list[KnownLogit]:
    return [KnownLogit(float(logit), int(side)) for logit, side in zip(looks.logits, looks.sides, strict=True)]


def label_logits(logits: list[KnownLogit], card: Card, *, unsure: bool) -> list[Prediction]:
    """Returns the predictions for logits.

    Args:
        logits: The logits.
        card: Card of the model, for temperature and thresholds.
        unsure: Whether photos between the thresholds get the label `unsure`.
    """
    probabilities = probability([known.logit for known in logits], card.temperature)
    return [
        Prediction(known.logit, float(p_food), label(float(p_food), card.thresholds, unsure=unsure), known.look)
        for known, p_food in zip(logits, probabilities, strict=True)
    ]


def classify(
    batch: list[Decoded], prior: list[PriorRecord], engine: Engine, bundle: Bundle, *, unsure: bool, other: bool = False
) -> list[Outcome]:
    """Classifies a batch with one run of the network, or with a second one for the photos that need another look.

    Photos without a picture become failures. The network skips photos whose logit is in the database.

    Args:
        batch: Decoded photos.
        prior: The earlier records of each photo in the database.
        engine: Engine of the model in use.
        bundle: That model, for its card and its candidate.
        unsure: Whether photos between the thresholds get the label `unsure`.
        other: Whether files that are no images have a folder of their own, so that they are no failures.

    Returns:
        The outcome of each photo, in the order of the batch.

    Raises:
        EngineError: The engine failed.
    """
    pairs = [(photo.picture.pixels, record.logit) for photo, record in zip(batch, prior, strict=True) if photo.picture]
    unknown = [pixels for pixels, known in pairs if known is None]
    computed, by_candidate = run_both(np.stack(unknown), engine, bundle) if unknown else ([], [])
    new = iter(computed)
    predictions = iter(
        label_logits([next(new) if known is None else known for _, known in pairs], bundle.card, unsure=unsure)
    )
    card = (bundle.candidate or bundle).card
    candidates = iter(label_logits(by_candidate, card, unsure=unsure))
    return [
        Outcome(photo, record, prediction=None, failure=_failure(photo.error, other=other))
        if photo.error
        else Outcome(
            photo,
            record,
            prediction=next(predictions),
            failure=None,
            candidate=next(candidates, None) if record.logit is None else None,
        )
        for photo, record in zip(batch, prior, strict=True)
    ]


def _failure(error: ImageError, *, other: bool) -> Failure | None:
    return None if other and error.kind == ImageErrorKind.NOT_AN_IMAGE else Failure(error.kind, str(error))
