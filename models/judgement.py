"""The judgement of a learned model against the one that was live, by `judgement.json` beside its heads."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import BundleError

JUDGEMENT = "judgement.json"

Verdict = Literal["better", "as_good", "worse", "too_few"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Comparison(_Document):
    """Photos that both models labelled.

    Attributes:
        n: Number of photos.
        won: Photos that the candidate alone labels right.
        lost: Photos that the live model alone labels right.
        p: Two-sided p-value of McNemar's exact test.
        correct_live: Photos that the live model labels right.
        correct_candidate: Photos that the candidate labels right.
    """

    n: int = Field(ge=0)
    won: int = Field(ge=0)
    lost: int = Field(ge=0)
    p: float = Field(ge=0, le=1)
    correct_live: int = Field(ge=0)
    correct_candidate: int = Field(ge=0)


class JudgedPhoto(_Document):
    """A photo of a person that both models labelled.

    Attributes:
        set: `held_out`: the candidate's probability is of heads that saw neither the photo nor its group; `audit`: a
            photo that is never learned from.
        live: P(food) of the live model.
        candidate: P(food) of the candidate.
    """

    sha256: str
    label: Literal["food", "non_food"]
    set: Literal["held_out", "audit"]
    live: float = Field(ge=0, le=1)
    candidate: float = Field(ge=0, le=1)


class Judgement(_Document):
    """A judgement.

    Attributes:
        verdict: Verdict of the decision table.
        reason: The verdict in one sentence.
        labels: Number of the person's labelled photos without the audit sample; those of `asked_again` are included.
        weight: Weight of a person's photo beside one of the bank.
        base: Digest of the card of the bundle that the candidate stands on.
        against: Digest of the card of the live model.
        candidate: Digest of the card of the candidate.
        made_at: Time as ISO 8601.
        guard: Photos of the base bundle that were never trained on.
        held_out: The person's labelled photos, out of fold.
        audit: The audit sample.
        asked_again: SHA-256 of photos whose labels contradict their neighbours, and did not count.
        photos: The photos of `held_out` and `audit`.
    """

    verdict: Verdict
    reason: str
    labels: int = Field(ge=0)
    weight: int
    base: str
    against: str
    candidate: str
    made_at: str
    guard: Comparison
    held_out: Comparison
    audit: Comparison
    asked_again: tuple[str, ...] = ()
    photos: tuple[JudgedPhoto, ...] = ()


def load_judgement(folder: Path) -> Judgement:
    """Reads the judgement in the folder of a learned model.

    Raises:
        BundleError: There is none, or the file is not a judgement.
    """
    path = folder / JUDGEMENT
    try:
        return Judgement.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); learn again") from error
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"])) or "the file"
        raise BundleError(f"{path} is not the judgement of a model: {location}: {first['msg']}; learn again") from error
