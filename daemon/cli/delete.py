"""`foodsort delete`: deletes failed photos."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.action_session import open_session
from daemon.cli.options import PATHS_HELP, Root
from daemon.cli.paths import path_arguments
from daemon.cli.report import ActionReport
from models.filenames import escape_name
from models.plurals import plural

if TYPE_CHECKING:
    from daemon.queries.photo_rows import Photo

_SHOWN_NAMES = 5


def delete(
    root: Root,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=PATHS_HELP)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete failed photos permanently, with their error sidecars. Their rows stay, in the state deleted.

    Example: foodsort delete --root photos failed/trip
    """
    from daemon.photo import FAILED
    from daemon.queries.explanations import WHY_NOT_DELETED

    if not yes and "-" in paths:
        raise typer.BadParameter("photos from stdin cannot be confirmed; add --yes")
    arguments = list(path_arguments(paths))
    # Without the lock: a person may take long to confirm, and other calls must not wait for that.
    with open_session(root, dry_run=True) as preview:
        selection = preview.selection((FAILED,), WHY_NOT_DELETED)
        report = ActionReport(dry_run=False)
        photos = report.select(arguments, selection.by_path)
    if photos and not yes and not _confirm(photos):
        photos = []
    with open_session(root, dry_run=False) as session:
        report.show(session.actions.delete.remove(photos))
        report.finish("deleted", failure="deleted")


def _confirm(photos: "list[Photo]") -> bool:
    names = sorted(escape_name(photo.path) for photo in photos)
    shown = [*names[:_SHOWN_NAMES], *(["…"] if len(names) > _SHOWN_NAMES else [])]
    count = f"{len(photos)} {plural(len(photos), 'photo')}"
    return typer.confirm(f"Delete {count} permanently ({', '.join(shown)})?")
