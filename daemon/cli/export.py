"""`foodsort export`: copies labelled photos into a data set."""

import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import Root, folder
from models.filenames import escape_name
from models.plurals import is_or_are, plural


def export(
    root: Root,
    out: Annotated[Path, typer.Option(parser=folder, metavar="DATA", help="New folder for the data set.")],
    corrected: Annotated[
        bool, typer.Option("--corrected", help="Only photos that the model labelled otherwise, or was not sure of.")
    ] = False,
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="Divide the photos into training, validation and evaluation, 80 : 10 : 10 (default: all training).",
        ),
    ] = False,
) -> None:
    """Copy the photos that people have labelled into a data set for `foodsort train`.

    Example: foodsort export --root photos --out mine --split
    """
    from daemon.actions.export import SPLITS, ExportError, output_folder, write
    from daemon.database import addresses, connections
    from daemon.destinations.folders import DestinationFolders
    from daemon.inbox.claims import Claims
    from daemon.queries.labelled import LABELS, labelled_photos
    from daemon.settings import load

    settings = load(root)
    folders = settings.folders
    target = output_folder(out, root, folders)
    with connections.database_errors():
        engine = connections.connect_to_read(addresses.database_url(root, settings.database.url))
        labelled = list(labelled_photos(engine, only_corrected=corrected))
    with closing(Claims(root / folders.inbox)) as claims:
        counts, problems = write(labelled, DestinationFolders(root, folders, claims), target, split=split)
    for problem in problems:
        typer.echo(f"foodsort: {problem}", err=True)
    if not counts:
        raise ExportError("there is no such photo to export; `foodsort correct` labels photos")
    name = escape_name(str(out))
    total = counts.total()
    by_split = ", ".join(
        f"{counts[part, 'food']} food and {counts[part, 'non_food']} non_food in {part}" for part in SPLITS
    )
    failures = f"; {len(problems)} could not be exported" if problems else ""
    typer.echo(f"{total} {plural(total, 'photo')} {is_or_are(total)} in {name}: {by_split}{failures}")
    if all(counts[part, label] for part in SPLITS for label in LABELS):
        typer.echo(f"train with: foodsort train --data {shlex.quote(name)} --out BUNDLE")
    else:
        remedy = "label more" if split else "divide them with --split, or add them to another data set"
        typer.echo(f"`foodsort train` needs photos of both labels in {', '.join(SPLITS)}: {remedy}")
    if problems:
        raise typer.Exit(1)
