"""`foodsort undo`: moves photos back to the inbox, or takes a batch of `foodsort reclassify` back."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.action_session import ActionSession, open_session
from daemon.cli.options import DryRun, Paths, Root, time_option
from daemon.cli.paths import path_arguments

if TYPE_CHECKING:
    from daemon.queries.photo_rows import Photo
    from daemon.queries.selection import Batch


def undo(
    root: Root,
    paths: Paths = None,
    last: Annotated[bool, typer.Option("--last", help="Undo the newest batch.")] = False,
    batch: Annotated[int | None, typer.Option(min=1, max=2**31 - 1, metavar="ID", help="Undo this batch.")] = None,
    since: Annotated[datetime | None, time_option("Undo the photos sorted at or after this time")] = None,
    dry_run: DryRun = False,
) -> None:
    """Move photos back to the inbox, where they stay until `foodsort retry PATH`.

    A batch of `foodsort reclassify` is taken back instead: its photos get their earlier labels and folders.

    Example: foodsort undo --root photos --last
    """
    from daemon.actions.undo import UNDO
    from daemon.database.schema import RECLASSIFY

    if [bool(paths), last, batch is not None, since is not None].count(True) != 1:
        raise typer.BadParameter("name the photos in one way: PATH..., --last, --batch ID or --since TIME")
    arguments = list(path_arguments(paths or ()))
    with open_session(root, dry_run=dry_run) as session:
        selection = session.selection(UNDO.sources)
        selected = selection.newest_batch() if last else selection.batch(batch) if batch is not None else None
        if selected is not None and selected.kind == RECLASSIFY:
            _take_back(session, selected, dry_run=dry_run)
        elif selected is not None:
            _move_to_inbox(session, selection.by_batch(selected.id), dry_run=dry_run)
        elif since is not None:
            _move_to_inbox(session, selection.filed_since(since), dry_run=dry_run)
        else:
            _move_to_inbox(
                session, session.report.select(session.follow(arguments), selection.by_path), dry_run=dry_run
            )


def _move_to_inbox(session: ActionSession, photos: "list[Photo]", *, dry_run: bool) -> None:
    from daemon.actions.undo import UNDO

    action = session.actions.undo
    session.report.show(action.preview(photos) if dry_run else action.move_to_inbox(photos, UNDO))
    session.report.finish("back in the inbox, to stay there until `foodsort retry PATH`")


def _take_back(session: ActionSession, batch: "Batch", *, dry_run: bool) -> None:
    action = session.actions.reclassify_undo
    session.report.show(action.preview(batch.id) if dry_run else action.take_back(batch.id))
    session.report.finish(f"as before batch {batch.id} of `foodsort reclassify`", failure="taken back")
