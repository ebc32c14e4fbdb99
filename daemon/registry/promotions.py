"""Which learned model is live, and the history of that: `models/promotions.json` of a root, replaced atomically."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.fs.part import replace_file
from models.bundle import folder_name
from models.errors import BundleError

MODELS = "models"
"""Folder of the learned models in the root."""
FILE = "promotions.json"

Verdict = Literal["better", "as_good", "worse", "too_few"]


class Promotion(BaseModel):
    """A model that was put live.

    Attributes:
        sha256: Digest of its card.
        name: Its name, for people.
        promoted_at: Time as ISO 8601.
        by: User, or what acted for them.
        verdict: Verdict of its judgement.
        reason: The judgement in one sentence.
        forced: Whether the verdict alone did not allow it.
        taken_back_at: Time at which it was taken back; None if it was not.
        taken_back_by: User that took it back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    name: str
    promoted_at: str
    by: str
    verdict: Verdict
    reason: str
    forced: bool = False
    taken_back_at: str | None = None
    taken_back_by: str | None = None


class Promotions(BaseModel):
    """The promotions of a root, oldest first.

    Attributes:
        configured: `model.bundle` in the settings at the newest promotion. Once a person names another bundle there,
            that one counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    configured: str = ""
    promotions: tuple[Promotion, ...] = ()

    def live(self, configured: str) -> Promotion | None:
        """Returns the promotion that counts; None if the bundle in the settings does.

        Args:
            configured: `model.bundle` in the settings now.
        """
        standing = [one for one in self.promotions if one.taken_back_at is None]
        return standing[-1] if standing and configured == self.configured else None

    def promote(self, promotion: Promotion, configured: str) -> "Promotions":
        """Returns the promotions with a new one. Those under another bundle in the settings stay as history alone."""
        earlier = self.promotions
        if configured != self.configured:
            earlier = tuple(_taken_back(one, promotion.promoted_at, promotion.by) for one in earlier)
        return Promotions(configured=configured, promotions=(*earlier, promotion))

    def take_back(self, configured: str, at: str, by: str) -> "Promotions":
        """Returns the promotions without the live one; the one before it counts then, or the settings."""
        live = self.live(configured)
        changed = tuple(_taken_back(one, at, by) if one is live else one for one in self.promotions)
        return Promotions(configured=self.configured, promotions=changed)


def _taken_back(promotion: Promotion, at: str, by: str) -> Promotion:
    if promotion.taken_back_at is not None:
        return promotion
    return promotion.model_copy(update={"taken_back_at": at, "taken_back_by": by})


def models_folder(root: Path) -> Path:
    """Returns the folder of the learned models of a root, absolute; it may not exist."""
    return root.absolute() / MODELS


def load(root: Path) -> Promotions:
    """Reads the promotions of a root; none where nothing was promoted.

    Raises:
        BundleError: The file cannot be read.
    """
    path = models_folder(root) / FILE
    try:
        return Promotions.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Promotions()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BundleError(
            f"{path} is damaged, so the live model is not known; restore it, or delete it to use model.bundle"
        ) from error


def save(root: Path, promotions: Promotions) -> None:
    """Replaces the promotions of a root: after a death or an error they are the old ones or the new ones.

    Raises:
        OSError: The file cannot be written.
    """
    text = promotions.model_dump_json(indent=2).encode() + b"\n"
    replace_file(models_folder(root) / FILE, text, mode=0o666)


def live_folder(root: Path, configured: str) -> Path | None:
    """Returns the folder of the live learned model; None if the bundle in the settings is live.

    Args:
        root: The root.
        configured: `model.bundle` in the settings.

    Raises:
        BundleError: The promotions cannot be read.
    """
    live = load(root).live(configured)
    return models_folder(root) / folder_name(live.sha256) if live else None
