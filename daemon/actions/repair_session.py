"""Opens a root for `foodsort repair`: no daemon may run, and a damaged database is replaced by what can be read of it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from daemon.actions.context import Actions, preview_actions
from daemon.actions.result import ActionResult
from daemon.database import addresses, connections, integrity, replacement, root_id
from daemon.database.salvage import salvage
from daemon.inbox.claims import Claims
from daemon.inbox.handle import InboxHandle
from daemon.inbox.lock import action_lock
from daemon.inbox.owner import require_daemon_user
from daemon.settings import Settings
from models.errors import FoodsortError


@dataclass(frozen=True)
class RepairSession:
    """What a repair works on."""

    claims: Claims
    engine: sa.Engine


@contextmanager
def open_for_repair(
    root: Path,
    settings: Settings,
    *,
    on_salvage: Callable[[str], None],
    on_wait: Callable[[], None] = lambda: None,
    on_recovered: Callable[[str, ActionResult], None] = lambda action, result: None,
) -> Iterator[RepairSession]:
    """Opens a root to change its rows, as its one user: with the lock of the daemon and that of the actions.

    A database that does not exist is created, and one of an earlier version is migrated: both may be a backup.

    Args:
        root: The root.
        settings: Its settings.
        on_salvage: Called with a message about a damaged database that was replaced.
        on_wait: Called once when another process changes photos.
        on_recovered: Called with the result of each photo whose action a killed process left unfinished.

    Raises:
        FoodsortError: A daemon runs, or the inbox or the database cannot be used.
        OSError: There is no room for what is saved of a damaged database.
    """
    inbox = root.absolute() / settings.folders.inbox
    address = addresses.database_url(root, settings.database.url)
    with ExitStack() as stack:
        try:
            handle = InboxHandle(inbox, lock=True)
            stack.callback(handle.close)
            require_daemon_user(inbox)
        except OSError as error:
            raise FoodsortError(f"the inbox {inbox} cannot be used: {error.strerror}") from error
        path = addresses.sqlite_file(address)
        if path is not None:
            with action_lock(handle.claims.inbox_fd, inbox, on_wait=on_wait):
                _replace_damaged(path, on_salvage)
        engine = connections.connect(address)
        stack.callback(engine.dispose)
        root_id.claim(root, engine)
        actions = Actions.of(root, settings.folders, handle.claims, engine)
        stack.enter_context(actions.exclusive(on_wait=on_wait, on_recovered=on_recovered))
        yield RepairSession(handle.claims, engine)


@contextmanager
def open_for_preview(root: Path, settings: Settings, *, on_salvage: Callable[[str], None]) -> Iterator[RepairSession]:
    """Opens a root to compare it and change nothing, also while a daemon runs.

    Raises:
        FoodsortError: The inbox or the database cannot be used.
    """
    address = addresses.database_url(root, settings.database.url)
    path = addresses.sqlite_file(address)
    with ExitStack() as stack:
        if path is not None and not path.exists():
            engine = connections.connect(addresses.IN_MEMORY)
        elif path is not None and (damage := integrity.find_damage(path)):
            new = Path(stack.enter_context(tempfile.TemporaryDirectory())) / addresses.FILE
            on_salvage(_damage_message(path, damage, salvage(path, new)))
            engine = connections.connect_to_read(sa.URL.create("sqlite", database=str(new)))
        else:
            engine = connections.connect_to_read(address)
            stack.callback(engine.dispose)
            root_id.check(root, engine)
        stack.callback(engine.dispose)
        actions = stack.enter_context(preview_actions(root, settings.folders, engine))
        yield RepairSession(actions.claims, engine)


def _replace_damaged(path: Path, on_salvage: Callable[[str], None]) -> None:
    """Replaces a damaged database, or completes that. Raises FoodsortError, OSError."""
    if aside := replacement.complete(path):
        on_salvage(f"the database {path} was damaged; a new one has what could be read. The damaged file is {aside}")
    if damage := integrity.find_damage(path):
        counts, aside = replacement.replace(path)
        on_salvage(f"{_damage_message(path, damage, counts)}. The damaged file is {aside}")


def _damage_message(path: Path, damage: str, counts: dict[str, int]) -> str:
    rows = f"{counts['photos']} rows of photos and {counts['reviews']} labels by people"
    return f"the database {path} is damaged ({damage}); {rows} could be read"
