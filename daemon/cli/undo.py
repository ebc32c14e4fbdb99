"""`foodsort undo`: moves photos back to the inbox."""

from datetime import datetime
from typing import Annotated

import typer

from daemon.cli.action_session import open_session
from daemon.cli.options import DryRun, Paths, Root, time_option
from daemon.cli.paths import path_arguments


def undo(
    root: Root,
    paths: Paths = None,
    last: Annotated[bool, typer.Option("--last", help="Undo the photos of the newest batch.")] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, metavar="ID", help="Undo the photos of this batch.")
    ] = None,
    since: Annotated[datetime | None, time_option("Undo the photos sorted at or after this time")] = None,
    dry_run: DryRun = False,
) -> None:
    """Move photos back to the inbox, where they stay until `foodsort retry PATH`.

    Example: foodsort undo --root photos --last
    """
    from daemon.actions.undo import UNDO

    if [bool(paths), last, batch is not None, since is not None].count(True) != 1:
        raise typer.BadParameter("name the photos in one way: PATH..., --last, --batch ID or --since TIME")
    arguments = list(path_arguments(paths or ()))
    with open_session(root, dry_run=dry_run) as session:
        selection = session.selection(UNDO.sources)
        if paths:
            photos = session.report.select(arguments, selection.by_path)
        elif batch is not None:
            photos = selection.by_batch(batch)
        elif since is not None:
            photos = selection.filed_since(since)
        else:
            photos = selection.newest_batch()
        action = session.actions.undo
        session.report.show(action.preview(photos) if dry_run else action.move_to_inbox(photos, UNDO))
        session.report.finish("back in the inbox, to stay there until `foodsort retry PATH`")
