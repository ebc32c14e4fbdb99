"""`foodsort export`: copies labelled photos into a data set."""

import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import Root, folder
from models.filenames import escape_name


def export(
    root: Root,
    out: Annotated[Path, typer.Option(parser=folder, metavar="DATA", help="New folder for the data set.")],
    corrected: Annotated[
        bool, typer.Option("--corrected", help="Only photos of which the model said otherwise, or was not sure.")
    ] = False,
    split: Annotated[
        bool,
        typer.Option(
            "--split", help="Divide them into training, validation and evaluation, 80 : 10 : 10; else all are training."
        ),
    ] = False,
) -> None:
    """Copy the photos that a person has labelled into a data set that `foodsort train` reads.

    Example: foodsort export --root photos --out mine --split
    """
    from daemon.actions.export import LABELS, SPLITS, ExportError, labelled, place, write
    from daemon.database import addresses, connections
    from daemon.destinations.folders import DestinationFolders
    from daemon.inbox.claims import Claims
    from daemon.settings import load

    settings = load(root)
    folders, where = settings.folders, place(out, root, settings.folders)
    with connections.told():
        found = list(labelled(connections.reading(addresses.url(root, settings.database.url)), corrected=corrected))
    with closing(Claims(root / folders.inbox)) as claims:
        counts, problems = write(found, DestinationFolders(root, folders, claims), where, split=split)
    for problem in problems:
        typer.echo(f"foodsort: {problem}", err=True)
    if not counts:
        raise ExportError("there is no such photo to export; `foodsort correct` labels photos")
    said = (f"{counts[one, 'food']} food and {counts[one, 'non_food']} non_food in {one}" for one in SPLITS)
    others = f"; {len(problems)} could not be exported" if problems else ""
    photos = "1 photo is" if counts.total() == 1 else f"{counts.total()} photos are"
    typer.echo(f"{photos} in {escape_name(str(out))}: {', '.join(said)}{others}")
    if all(counts[one, label] for one in SPLITS for label in LABELS):
        typer.echo(f"train with: foodsort train --data {shlex.quote(escape_name(str(out)))} --out BUNDLE")
    else:
        more = "label more" if split else "divide them with --split, or put them to another data set"
        typer.echo(f"`foodsort train` needs photos of both labels in {', '.join(SPLITS)}: {more}")
    if problems:
        raise typer.Exit(1)
