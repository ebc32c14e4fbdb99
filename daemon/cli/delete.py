"""`foodsort delete`: removes failed photos."""

from typing import Annotated

import typer

from daemon.cli.options import HELP, Root
from daemon.cli.paths import words
from daemon.cli.report import ActionReport, opened
from models.filenames import escape_name

_NAMED = 5  # photos that a question names


def delete(
    root: Root,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=HELP)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete photos that failed, for good, with the reasons beside them. Their rows stay, in the state deleted.

    Example: foodsort delete --root photos failed/trip
    """
    from daemon.actions.delete import NOT_DELETED
    from daemon.photo import FAILED
    from daemon.queries.selection import PhotoSelection

    if not yes and "-" in paths:
        raise typer.BadParameter("what is read from stdin cannot be asked about; add --yes")
    given, said = list(words(paths)), ActionReport(dry_run=False)
    with opened(root, dry_run=True) as (engine, _, _):  # who is asked may be slow, too, and others are not to wait
        chosen = said.known(given, PhotoSelection(engine, root, (FAILED,), NOT_DELETED).path)
    photos = f"{len(chosen)} photo{'' if len(chosen) == 1 else 's'}"
    some = sorted(escape_name(photo.path) for photo in chosen)[:_NAMED] + ["…"] * (len(chosen) > _NAMED)
    if chosen and not yes and not typer.confirm(f"Delete {photos} for good ({', '.join(some)})?"):
        chosen = []
    with opened(root, dry_run=False) as (_, movers, _):
        said.backs(movers.deletions.delete(chosen))
        said.end("deleted", "deleted")
