"""What a command prints of the photos that it moves."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from models.cli import leave
from models.errors import FoodsortError
from models.filenames import escape_name

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.actions.context import Actions
    from daemon.actions.undo import ActionResult
    from daemon.queries.selection import Photo


class ActionReport:
    """Prints what becomes of photos, one line each, and counts."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._done = self._problems = 0
        self._unsaid: OSError | None = None

    def known(self, paths: list[str], choose: "Callable[[str], list[Photo]]") -> "list[Photo]":
        """The photos that the paths name, each once; says which name none."""
        found: dict[int, Photo] = {}
        for path in paths:
            try:
                found |= {photo.id: photo for photo in choose(path)}
            except FoodsortError as error:
                self._problem(str(error))
        return list(found.values())

    def backs(self, backs: "Iterable[ActionResult]", *, asked_for: bool = True) -> None:
        """Says what became of each photo. asked_for: by this call, so that it counts."""
        for back in backs:
            if back.problem:
                self._problem(f"{escape_name(back.photo.path)} {back.problem}")
                continue
            self._done += asked_for
            moved = f"{escape_name(back.photo.path)} → " if back.place != back.photo.path else ""
            self._say(f"{moved}{escape_name(back.place)}")

    def end(self, what: str, otherwise: str = "taken there") -> None:
        """Says how many there were; ends the process with exit code 1 when something could not be done."""
        photos = f"{self._done} photo{'' if self._done == 1 else 's'}"
        verb = "would be" if self._dry_run else "is" if self._done == 1 else "are"
        others = f"; {self._problems} could not be {otherwise}" if self._problems else ""
        self._say(f"{photos} {verb} {what}{others}")
        if self._unsaid is not None and not isinstance(self._unsaid, BrokenPipeError):
            raise FoodsortError(
                f"{photos} {verb} {what}{others}, but not all could be printed: {self._unsaid.strerror}"
            )
        if self._problems or self._unsaid:
            raise typer.Exit(1)

    def _problem(self, message: str) -> None:
        self._problems += 1
        self._say(f"foodsort: {message}", err=True)

    def _say(self, line: str, *, err: bool = False) -> None:
        """Prints a line. What is being done goes on where nobody can read of it, and `end` tells."""
        try:
            typer.echo(line, err=err)
        except OSError as error:
            self._unsaid = error
            leave(sys.stderr if err else sys.stdout)


@contextmanager
def opened(root: Path, *, dry_run: bool) -> "Iterator[tuple[sa.Engine, Actions, ActionReport]]":
    """The database and what moves sorted photos, when it is this call's turn. Raises FoodsortError, OSError."""
    from daemon.actions.context import Actions, require_daemon_user
    from daemon.database import addresses, connections
    from daemon.inbox.claims import Claims
    from daemon.inbox.lock import action_lock
    from daemon.settings import load

    settings = load(root)
    inbox = root / settings.folders.inbox
    address = addresses.url(root, settings.database.url)
    with connections.told():
        engine = connections.reading(address) if dry_run else connections.writing(address)
        claims = Claims(inbox)
        movers, said = Actions.of(root, settings.folders, claims, engine), ActionReport(dry_run=dry_run)
        try:
            if dry_run:
                yield engine, movers, said
                return
            require_daemon_user(inbox / ".foodsort")
            with action_lock(claims.inbox_fd, inbox, _wait):
                said.backs((back for _, back in movers.mend()), asked_for=False)
                yield engine, movers, said
        finally:
            claims.close()
            engine.dispose()


def _wait() -> bool:
    typer.echo("foodsort: another call is moving photos; waiting for its end", err=True)
    return True
