"""`foodsort retry`: sorts failed photos again."""

from typing import Annotated

import typer

from daemon.cli.options import DryRun, Paths, Root
from daemon.cli.paths import words
from daemon.cli.report import opened
from models.errors import ImageErrorKind


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
    from daemon.queries.selection import PhotoSelection

    given = list(words(paths or ()))  # before the turn is taken: who writes them may be slow
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        failed, named = PhotoSelection(engine, root, (FAILED,)), PhotoSelection(engine, root, (FAILED, UNDONE))
        chosen = said.known(given, lambda path: named.path(path, kind or ())) if paths else failed.all(kind or ())
        of_failed = [photo for photo in chosen if photo.state == FAILED]
        undone = [photo for photo in chosen if photo.state == UNDONE]
        takeback = movers.takeback
        said.backs(takeback.would_take(of_failed) if dry_run else takeback.take(of_failed, RETRY_FAILED))
        said.backs(takeback.release(undone, dry_run=dry_run))
        said.end("in the inbox, to be sorted again")
