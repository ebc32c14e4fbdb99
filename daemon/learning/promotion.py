"""Puts a learned model live and takes it back; a running daemon takes it over between two batches."""

import getpass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from daemon import failpoints
from daemon.database.schema import events
from daemon.database.timestamps import format_time
from daemon.registry import learned, promotions
from daemon.registry.learned import LearnedModel
from daemon.registry.lock import exclusive
from daemon.registry.promotions import Promotion
from daemon.settings import Settings
from models.bundle import Bundle
from models.errors import FoodsortError
from models.judgement import Verdict

_REFUSED = ("worse", "too_few")


class VerdictRefuses(FoodsortError):
    """Raised when the judgement of a model does not allow to put it live."""


def is_allowed(verdict: Verdict) -> bool:
    """Whether a model with a verdict may be put live without force."""
    return verdict not in _REFUSED


def user_name() -> str:
    """Returns the name of the user, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def promote(
    root: Path, settings: Settings, engine: sa.Engine, name: str, *, by: str, force: bool = False
) -> LearnedModel:
    """Puts a learned model live.

    Args:
        root: The root.
        settings: Its settings.
        engine: Its database, writable, for the event.
        name: The model's name, or the start of its digest.
        by: User, or what acts for them.
        force: Whether a verdict that does not allow it is ignored.

    Returns:
        The model, which is live.

    Raises:
        VerdictRefuses: Its judgement does not allow it.
        BundleError: It is damaged.
        FoodsortError: There is no such model, or another process changes the live model.
    """
    configured = settings.model.bundle
    with exclusive(root, settings.folders):
        model = learned.find(root, configured, name)
        if model.live:
            return model
        judgement = model.judgement
        if not is_allowed(judgement.verdict) and not force:
            raise VerdictRefuses(
                f"{model.name} is not put live: {judgement.reason}; label more photos and learn again, or use --force"
            )
        Bundle.load(model.folder)
        now = format_time(datetime.now(UTC))
        promotion = Promotion(
            sha256=model.sha256,
            name=model.name,
            promoted_at=now,
            by=by,
            verdict=judgement.verdict,
            reason=judgement.reason,
            forced=not is_allowed(judgement.verdict),
        )
        failpoints.failpoint("promoting")
        _save(root, promotions.load(root).promote(promotion, configured))
        failpoints.failpoint("promoted")
        record(engine, "promoted", f"{model.name} is live, by {by}: {judgement.reason}")
        return model._replace(promotion=promotion, live=True)


def rollback(root: Path, settings: Settings, engine: sa.Engine, *, by: str) -> tuple[Promotion, Promotion | None]:
    """Takes the live model back; the one that was live before it is live again.

    Args:
        root: The root.
        settings: Its settings.
        engine: Its database, writable, for the event.
        by: User, or what acts for them.

    Returns:
        The promotion that was taken back, and the one that counts now: None if the bundle in the settings does.

    Raises:
        BundleError: The model that would be live is damaged.
        FoodsortError: No learned model is live, or another process changes the live model.
    """
    configured = settings.model.bundle
    with exclusive(root, settings.folders):
        before = promotions.load(root)
        live = before.live(configured)
        if live is None:
            raise FoodsortError("no learned model is live, so there is none to take back")
        after = before.take_back(configured, format_time(datetime.now(UTC)), by)
        again = after.live(configured)
        if again is not None:
            Bundle.load(learned.find(root, configured, again.sha256).folder)
        failpoints.failpoint("taking_back")
        _save(root, after)
        failpoints.failpoint("taken_back")
        name = again.name if again else "the bundle in the settings"
        record(engine, "taken_back", f"{live.name} is taken back, by {by}; {name} is live again")
        return live, again


def record(engine: sa.Engine, kind: str, message: str) -> None:
    """Records an event."""
    row = {"at": format_time(datetime.now(UTC)), "kind": kind, "path": None, "message": message}
    with engine.begin() as connection:
        connection.execute(events.insert().values(row))


def _save(root: Path, changed: promotions.Promotions) -> None:
    try:
        promotions.save(root, changed)
    except OSError as error:
        folder = promotions.models_folder(root)
        raise FoodsortError(f"{folder} cannot be written: {error.strerror}; nothing was changed") from error
