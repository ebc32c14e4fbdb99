"""The facts of the model page: the live model, the newest candidate, and what would change with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from pydantic import ValidationError

from daemon.pipeline import loaded_model
from daemon.queries import audit, model_facts
from daemon.queries.audit import Accuracy
from daemon.queries.labelled import count_labels_since
from daemon.queries.model_facts import Shadow
from daemon.registry import learned, promotions
from daemon.registry.learned import LearnedModel
from daemon.registry.promotions import Promotion
from daemon.settings import Settings
from models.bundle import CARD, Card, folder_name
from models.judgement import Judgement

MOST_PICTURES = 60
"""Most photos that are shown as pictures."""
VERDICTS = {
    "better": "Better than the live model",
    "as_good": "As good as the live model",
    "worse": "Worse than the live model",
    "too_few": "Too few labels for a verdict",
}


class LabelChange(NamedTuple):
    """A photo that gets another label.

    Attributes:
        old: The label before.
        new: The label after.
        person: The label that a person gave; None without one.
        id: Its row; 0 if that is not known.
    """

    sha256: str
    old: str
    new: str
    person: str | None = None
    id: int = 0

    @property
    def is_won(self) -> bool:
        """Whether the new label is the person's."""
        return self.new == self.person


@dataclass(frozen=True)
class LiveModel:
    """The live model.

    Attributes:
        promotion: Its promotion; None for the bundle in the settings.
    """

    name: str
    sha256: str
    promotion: Promotion | None


@dataclass(frozen=True)
class Candidate:
    """The newest learned model, which was never live.

    Attributes:
        verdict: Its verdict in a few words.
        is_allowed: Whether its verdict alone allows to put it live.
        changed: Photos of people that only one of the two models labels right.
        pictures: Some of them, those that the candidate labels wrong first.
        shadow: Photos that it has judged silently.
    """

    model: LearnedModel
    verdict: str
    is_allowed: bool
    changed: int
    pictures: list[LabelChange]
    shadow: Shadow


@dataclass(frozen=True)
class ModelFacts:
    """All facts of the page.

    Attributes:
        accuracy: The live model's accuracy by the audit sample.
        labels: Labelled photos that can be learned from.
        new_labels: Those labelled since the newest learned model was made.
        history: Promotions, newest first.
    """

    live: LiveModel
    accuracy: Accuracy
    labels: int
    new_labels: int
    candidate: Candidate | None
    history: list[Promotion]


def read(root: Path, settings: Settings, engine: sa.Engine) -> ModelFacts:
    """Reads the facts. Raises BundleError."""
    configured = settings.model.bundle
    found = learned.learned_models(root, configured)
    live = _live(root, settings)
    newest = found[0] if found else None
    return ModelFacts(
        live=live,
        accuracy=audit.accuracy(audit.audited(engine, live.sha256)),
        labels=count_labels_since(engine, ""),
        new_labels=count_labels_since(engine, newest.made_at if newest else ""),
        candidate=_candidate(root, engine, newest) if newest and newest.promotion is None else None,
        history=list(reversed(promotions.load(root).promotions)),
    )


def label_changes(judgement: Judgement, live_threshold: float, candidate_threshold: float) -> list[LabelChange]:
    """The photos of people that one of the two models alone labels right; those that the candidate loses come first.

    Args:
        judgement: The judgement of the candidate.
        live_threshold: Lowest P(food) that the live model labels food.
        candidate_threshold: The candidate's.
    """
    changes = [
        LabelChange(
            photo.sha256, _label(photo.live, live_threshold), _label(photo.candidate, candidate_threshold), photo.label
        )
        for photo in judgement.photos
    ]
    return sorted((change for change in changes if change.old != change.new), key=lambda change: change.is_won)


def _live(root: Path, settings: Settings) -> LiveModel:
    sha256 = loaded_model.sha256(root, settings)
    promotion = promotions.load(root).live(settings.model.bundle)
    if promotion is not None:
        return LiveModel(promotion.name, sha256, promotion)
    card = _card(loaded_model.card_path(root, settings).parent)
    return LiveModel(f"{card.name}@{folder_name(sha256)}" if card else folder_name(sha256), sha256, None)


def _candidate(root: Path, engine: sa.Engine, model: LearnedModel) -> Candidate:
    judgement = model.judgement
    against = promotions.models_folder(root) / folder_name(judgement.against)
    changes = label_changes(judgement, _threshold(against), _threshold(model.folder))
    return Candidate(
        model=model,
        verdict=VERDICTS[judgement.verdict],
        is_allowed=judgement.verdict in ("better", "as_good"),
        changed=len(changes),
        pictures=_pictures(engine, changes),
        shadow=model_facts.shadow(engine, model.sha256),
    )


def _pictures(engine: sa.Engine, changes: Sequence[LabelChange]) -> list[LabelChange]:
    """The first changes of photos that are in their folders, with the rows of these."""
    first = changes[:MOST_PICTURES]
    ids = model_facts.ids_by_digest(engine, [change.sha256 for change in first])
    return [change._replace(id=ids[change.sha256]) for change in first if change.sha256 in ids]


def _label(probability: float, threshold: float) -> str:
    return "food" if probability >= threshold else "non_food"


def _threshold(folder: Path) -> float:
    """The threshold of a bundle; one half if it is no longer there."""
    card = _card(folder)
    return card.thresholds.food if card else 0.5


def _card(folder: Path) -> Card | None:
    try:
        return Card.model_validate_json((folder / CARD).read_bytes())
    except (OSError, ValidationError):
        return None
