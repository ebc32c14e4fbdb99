"""The commands that take photos back to the inbox: `retry` and `undo`."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.named import words
from daemon.options import Root, time_option
from models.cli import leave
from models.errors import FoodsortError, ImageErrorKind
from models.filenames import shown

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.actions.context import Movers
    from daemon.actions.undo import Back
    from daemon.queries.selection import Photo

app = typer.Typer()

HELP = (
    "Photos, folders or patterns such as 'food/trip/*.jpg', as they lie or as `foodsort results` shows them;"
    " - reads them from stdin, one a line."
)
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help=HELP),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing.")]


@app.command()
def retry(
    root: Root,
    paths: Paths = None,
    kind: Annotated[
        list[ImageErrorKind] | None, typer.Option(help="Photos that failed for this reason; may be repeated.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Have failed photos sorted again: all of them, or those that are named. Undone photos too, when they are named.

    Example: foodsort retry --root photos --kind truncated
    """
    from daemon.actions.undo import RETRY_FAILED
    from daemon.photo import FAILED, UNDONE
    from daemon.queries.selection import Chosen

    given = list(words(paths or ()))  # before the turn is taken: who writes them may be slow
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        failed, named = Chosen(engine, root, (FAILED,)), Chosen(engine, root, (FAILED, UNDONE))
        chosen = said.known(given, lambda path: named.path(path, kind or ())) if paths else failed.all(kind or ())
        of_failed = [photo for photo in chosen if photo.state == FAILED]
        undone = [photo for photo in chosen if photo.state == UNDONE]
        takeback = movers.takeback
        said.backs(takeback.would_take(of_failed) if dry_run else takeback.take(of_failed, RETRY_FAILED))
        said.backs(takeback.release(undone, dry_run=dry_run))
        said.end("in the inbox, to be sorted again")


@app.command()
def undo(
    root: Root,
    paths: Paths = None,
    last: Annotated[bool, typer.Option("--last", help="The photos of the newest batch.")] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, metavar="ID", help="The photos of this batch.")
    ] = None,
    since: Annotated[datetime | None, time_option("Photos filed at or after this time.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Take photos back to the inbox. There they stay: only `foodsort retry PATH` has them sorted again.

    Example: foodsort undo --root photos --last
    """
    from daemon.actions.undo import UNDO
    from daemon.queries.selection import Chosen

    if [bool(paths), last, batch is not None, since is not None].count(True) != 1:
        raise typer.BadParameter("say which photos, in one way: PATH..., --last, --batch ID or --since TIME")
    given = list(words(paths or ()))
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        choice = Chosen(engine, root, UNDO.sources)
        if paths:
            chosen = said.known(given, choice.path)
        elif batch is not None:
            chosen = choice.batch(batch)
        else:
            chosen = choice.since(since) if since else choice.last_batch()
        said.backs(movers.takeback.would_take(chosen) if dry_run else movers.takeback.take(chosen, UNDO))
        said.end("back in the inbox, to stay there until `foodsort retry PATH`")


class Said:
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

    def backs(self, backs: "Iterable[Back]", *, asked_for: bool = True) -> None:
        """Says what became of each photo. asked_for: by this call, so that it counts."""
        for back in backs:
            if back.problem:
                self._problem(f"{shown(back.photo.path)} {back.problem}")
                continue
            self._done += asked_for
            moved = f"{shown(back.photo.path)} → " if back.place != back.photo.path else ""
            self._say(f"{moved}{shown(back.place)}")

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
def opened(root: Path, *, dry_run: bool) -> "Iterator[tuple[sa.Engine, Movers, Said]]":
    """The database and what moves sorted photos, when it is this call's turn. Raises FoodsortError, OSError."""
    from daemon.actions.context import Movers, as_the_daemon
    from daemon.database import connections
    from daemon.inbox.claims import Claims
    from daemon.inbox.lock import turn
    from daemon.settings import load

    settings = load(root)
    inbox = root / settings.folders.inbox
    address = connections.url(root, settings.database.url)
    with connections.told():
        engine = connections.reading(address) if dry_run else connections.writing(address)
        claims = Claims(inbox)
        movers, said = Movers.of(root, settings.folders, claims, engine), Said(dry_run=dry_run)
        try:
            if dry_run:
                yield engine, movers, said
                return
            as_the_daemon(inbox / ".foodsort")
            with turn(claims.inbox, inbox, _wait):
                said.backs((back for _, back in movers.mend()), asked_for=False)
                yield engine, movers, said
        finally:
            claims.close()
            engine.dispose()


def _wait() -> bool:
    typer.echo("foodsort: another call is moving photos; waiting for its end", err=True)
    return True
