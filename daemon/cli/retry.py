"""`foodsort retry`: sorts failed photos again."""

from typing import Annotated

import typer

from daemon.cli.action_session import open_session
from daemon.cli.options import DryRun, Paths, Root
from daemon.cli.paths import path_arguments
from models.errors import ImageErrorKind


def retry(
    root: Root,
    paths: Paths = None,
    kind: Annotated[
        list[ImageErrorKind] | None,
        typer.Option(help="Only photos that failed for this reason; may be repeated."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Sort failed photos again: all of them, or only the named ones. Also sorts undone photos if they are named.

    Example: foodsort retry --root photos --kind truncated
    """
    from daemon.actions.undo import RETRY_FAILED
    from daemon.photo import FAILED, UNDONE

    kinds = kind or ()
    arguments = list(path_arguments(paths or ()))  # read before the lock is taken: their writer may be slow
    with open_session(root, dry_run=dry_run) as session:
        if paths:
            selection = session.selection((FAILED, UNDONE))
            photos = session.report.select(arguments, lambda path: selection.by_path(path, kinds))
        else:
            photos = session.selection((FAILED,)).all(kinds)
        failed = [photo for photo in photos if photo.state == FAILED]
        undone = [photo for photo in photos if photo.state == UNDONE]
        action = session.actions.undo
        session.report.show(action.preview(failed) if dry_run else action.move_to_inbox(failed, RETRY_FAILED))
        session.report.show(action.release(undone, dry_run=dry_run))
        session.report.finish("in the inbox, to be sorted again")
