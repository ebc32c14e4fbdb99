"""`foodsort undo`: takes photos back to the inbox."""

from datetime import datetime
from typing import Annotated

import typer

from daemon.cli.options import DryRun, Paths, Root, time_option
from daemon.cli.paths import words
from daemon.cli.report import opened


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
    from daemon.queries.selection import PhotoSelection

    if [bool(paths), last, batch is not None, since is not None].count(True) != 1:
        raise typer.BadParameter("say which photos, in one way: PATH..., --last, --batch ID or --since TIME")
    given = list(words(paths or ()))
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        choice = PhotoSelection(engine, root, UNDO.sources)
        if paths:
            chosen = said.known(given, choice.path)
        elif batch is not None:
            chosen = choice.batch(batch)
        else:
            chosen = choice.since(since) if since else choice.last_batch()
        said.backs(movers.takeback.would_take(chosen) if dry_run else movers.takeback.take(chosen, UNDO))
        said.end("back in the inbox, to stay there until `foodsort retry PATH`")
