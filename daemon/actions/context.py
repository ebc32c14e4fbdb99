"""The actions on sorted photos, opened together: claims, user check, action lock and recovery in one place."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from daemon.actions.companions import CompanionFollower
from daemon.actions.correct import CorrectAction
from daemon.actions.delete import DeleteAction
from daemon.actions.reclassify import ReclassifyAction
from daemon.actions.reclassify_undo import ReclassifyUndo
from daemon.actions.result import ActionResult
from daemon.actions.undo import UndoAction
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.inbox.lock import action_lock
from daemon.inbox.owner import require_daemon_user
from daemon.settings import FolderSettings
from models.errors import FoodsortError


class ActionBusy(FoodsortError):
    """Raised when another process moves photos and is not done in time; nothing was changed."""


@dataclass(frozen=True)
class Actions:
    """The actions on the photos of one root.

    Attributes:
        inbox: The inbox, for messages.
        claims: The open inbox.
        undo: Moves photos back to the inbox.
        correct: Records labels by people.
        delete: Removes failed photos.
        companions: Moves companions after their photos.
        reclassify: Applies the judgements of another model.
        reclassify_undo: Takes that back.
    """

    inbox: Path
    claims: Claims
    undo: UndoAction
    correct: CorrectAction
    delete: DeleteAction
    companions: CompanionFollower
    reclassify: ReclassifyAction
    reclassify_undo: ReclassifyUndo

    @classmethod
    def of(cls, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> "Actions":
        """The actions of a root whose inbox is open; `engine` must be writable unless they only preview."""
        destinations = DestinationFolders(root, folders, claims)
        return cls(
            inbox=root / folders.inbox,
            claims=claims,
            undo=UndoAction(destinations, claims, engine),
            correct=CorrectAction(destinations, engine, claims),
            delete=DeleteAction(destinations, engine, claims),
            companions=CompanionFollower(destinations, engine, claims),
            reclassify=ReclassifyAction(destinations, engine, claims),
            reclassify_undo=ReclassifyUndo(destinations, engine, claims),
        )

    @contextmanager
    def exclusive(
        self,
        *,
        timeout_s: float | None = None,
        on_wait: Callable[[], None] = lambda: None,
        on_recovered: Callable[[str, ActionResult], None] = lambda action, result: None,
    ) -> Iterator["Actions"]:
        """Holds the action lock, after recovery of the actions that a killed process left unfinished.

        Args:
            timeout_s: How long to wait for another process (s); None waits until that one is done.
            on_wait: Called once when another process holds the lock.
            on_recovered: Called with the action ("back", "correct", "delete", "follow") and the result of each file.

        Raises:
            ActionBusy: Another process kept the lock.
            FoodsortError, OSError: The lock cannot be opened.
        """
        with action_lock(self.claims.inbox_fd, self.inbox, timeout_s=timeout_s, on_wait=on_wait) as acquired:
            if not acquired:
                raise ActionBusy(
                    "another call of foodsort is moving photos; nothing was changed, try again in a moment"
                )
            for result in self.undo.recover():
                on_recovered("back", result)
            for result in self.correct.recover():
                on_recovered("correct", result)
            for result in self.delete.recover():
                on_recovered("delete", result)
            for result in self.companions.recover():
                on_recovered("follow", result)
            yield self


@contextmanager
def open_actions(
    root: Path,
    folders: FolderSettings,
    engine: sa.Engine,
    *,
    timeout_s: float | None = None,
    on_wait: Callable[[], None] = lambda: None,
    on_recovered: Callable[[str, ActionResult], None] = lambda action, result: None,
) -> Iterator[Actions]:
    """Opens the actions of a root to change photos: checks the user, takes the action lock, recovers.

    The parameters are those of `Actions.exclusive`; `engine` must be writable.

    Raises:
        ActionBusy: Another process kept the lock.
        FoodsortError: The inbox cannot be opened, or belongs to another user.
    """
    with ExitStack() as stack:
        actions = stack.enter_context(open_in_turns(root, folders, engine))
        with _inbox_errors(actions.inbox):
            stack.enter_context(actions.exclusive(timeout_s=timeout_s, on_wait=on_wait, on_recovered=on_recovered))
        yield actions


@contextmanager
def open_in_turns(root: Path, folders: FolderSettings, engine: sa.Engine) -> Iterator[Actions]:
    """Opens the actions of a root to change photos in many short turns: the caller takes `exclusive` for each.

    Raises:
        FoodsortError: The inbox cannot be opened, or belongs to another user.
    """
    inbox = root / folders.inbox
    with ExitStack() as stack:
        with _inbox_errors(inbox):
            claims = stack.enter_context(closing(Claims(inbox)))
            require_daemon_user(inbox)
        yield Actions.of(root, folders, claims, engine)


@contextmanager
def preview_actions(root: Path, folders: FolderSettings, engine: sa.Engine) -> Iterator[Actions]:
    """Opens the actions of a root for previews, which need no lock and no rights to write.

    Raises:
        FoodsortError: The inbox cannot be opened.
    """
    inbox = root / folders.inbox
    with _inbox_errors(inbox):
        claims = Claims(inbox)
    with closing(claims):
        yield Actions.of(root, folders, claims, engine)


@contextmanager
def _inbox_errors(inbox: Path) -> Iterator[None]:
    """Turns an OSError into a FoodsortError that names the inbox."""
    try:
        yield
    except OSError as error:
        raise FoodsortError(f"the inbox {inbox} cannot be used: {error.strerror}") from error
