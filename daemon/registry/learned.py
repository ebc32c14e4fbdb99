"""The learned models in the folder `models/` of a root."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from daemon.database.timestamps import format_time
from daemon.registry.promotions import Promotion, load, models_folder
from models.bundle import CARD, Card, folder_name
from models.errors import FoodsortError
from models.judgement import JUDGEMENT, Judgement

KEPT = 5
"""Candidates that are kept beside those that are or were live."""


class LearnedModel(NamedTuple):
    """A model in the folder, with its judgement.

    Attributes:
        name: Its name, as rows have it.
        folder: Its folder, absolute; usable wherever a bundle is named.
        sha256: Digest of its card.
        base: Digest of the card of the bundle that it stands on.
        made_at: Time as in the database.
        judgement: Its judgement against the model that was live then.
        promotion: Its newest promotion; None if it never was live.
        live: Whether it is live.
    """

    name: str
    folder: Path
    sha256: str
    base: str
    made_at: str
    judgement: Judgement
    promotion: Promotion | None
    live: bool


def learned_models(root: Path, configured: str) -> list[LearnedModel]:
    """Lists the learned models of a root, newest first; a folder that is none is left out. Verifies no digests.

    Args:
        root: The root.
        configured: `model.bundle` in the settings.

    Raises:
        BundleError: The promotions cannot be read.
    """
    promotions = load(root)
    live = promotions.live(configured)
    newest = {promotion.sha256: promotion for promotion in promotions.promotions}
    found = []
    for folder in _bundles(root):
        with suppress(OSError, ValidationError):
            text = (folder / CARD).read_bytes()
            card = Card.model_validate_json(text)
            if card.base is None:
                continue
            sha256 = hashlib.sha256(text).hexdigest()
            found.append(
                LearnedModel(
                    name=f"{card.name}@{folder_name(sha256)}",
                    folder=folder,
                    sha256=sha256,
                    base=card.base,
                    made_at=format_time(card.created_at),
                    judgement=Judgement.model_validate_json((folder / JUDGEMENT).read_bytes()),
                    promotion=newest.get(sha256),
                    live=live is not None and live.sha256 == sha256,
                )
            )
    return sorted(found, key=lambda model: model.made_at, reverse=True)


def find(root: Path, configured: str, name: str) -> LearnedModel:
    """Finds a learned model by its name, or by the start of its digest.

    Raises:
        FoodsortError: There is none, or there are several.
        BundleError: The promotions cannot be read.
    """
    models = learned_models(root, configured)
    named = [model for model in models if name == model.name or (name and model.sha256.startswith(name.lower()))]
    if len(named) == 1:
        return named[0]
    known = ", ".join(model.name for model in models) or "none; `foodsort learn` makes one"
    problem = "is the start of several models" if named else "is no learned model"
    raise FoodsortError(f"{name} {problem}; learned models: {known}")


def candidate(root: Path, configured: str) -> LearnedModel | None:
    """Returns the newest model if it may be put live: it was never live, and is not judged worse.

    Raises:
        BundleError: The promotions cannot be read.
    """
    models = learned_models(root, configured)
    if not models or models[0].promotion is not None or models[0].judgement.verdict == "worse":
        return None
    return models[0]


def prune(root: Path, configured: str) -> None:
    """Removes all candidates but the newest ones, and base bundles on which no model stands any more.

    Models that are live, or live again once others are taken back, stay.

    Raises:
        BundleError: The promotions cannot be read.
        OSError: A folder cannot be removed.
    """
    models = learned_models(root, configured)
    standing = {promotion.sha256 for promotion in load(root).promotions if promotion.taken_back_at is None}
    kept = [model for number, model in enumerate(models) if number < KEPT or model.sha256 in standing]
    names = {folder_name(digest) for model in kept for digest in (model.sha256, model.base)}
    for folder in _bundles(root):
        if folder.name not in names:
            removed = folder.with_name(f".{folder.name}.removed")  # at once, so that no half of it is ever listed
            shutil.rmtree(removed, ignore_errors=True)
            folder.rename(removed)
            shutil.rmtree(removed)


def _bundles(root: Path) -> Iterator[Path]:
    """The folders of bundles: their names are the starts of digests."""
    with suppress(FileNotFoundError):
        yield from (
            folder
            for folder in sorted(models_folder(root).iterdir())
            if (folder / CARD).is_file() and folder.name[0] != "."
        )
