"""The commands for what people say of photos: `correct`, `delete` and `export`."""

import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.commands.back import HELP, DryRun, Said, opened
from daemon.named import words
from daemon.options import Root, folder
from models.filenames import shown

app = typer.Typer()

_NAMED = 5  # photos that a question names


@app.command()
def correct(
    root: Root,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=HELP)],
    label: Annotated[Literal["food", "non_food"] | None, typer.Option(help="What the photos show.")] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take back the newest label that a person gave to each of them.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Record what a person says that sorted photos show, and move them to the folder of that label.

    Example: foodsort correct --root photos food/trip/sea.jpg --label non_food
    """
    from daemon.actions.correct import NO_LABEL
    from daemon.photo import FILED
    from daemon.queries.selection import Chosen

    if withdraw == (label is not None):
        raise typer.BadParameter("say what is to be done, in one way: --label LABEL or --withdraw")
    given = list(words(paths))  # before the turn is taken: who writes them may be slow
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        corrections = movers.corrections
        chosen = said.known(given, Chosen(engine, root, (FILED,), NO_LABEL).path)
        if label is None:
            said.backs(corrections.would_withdraw(chosen) if dry_run else corrections.withdraw(chosen))
            said.end("without the label that a person gave last", "changed")
        else:
            said.backs(corrections.would_correct(chosen, label) if dry_run else corrections.correct(chosen, label))
            said.end(f"labelled {label} by a person", "labelled")


@app.command()
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
    from daemon.queries.selection import Chosen

    if not yes and "-" in paths:
        raise typer.BadParameter("what is read from stdin cannot be asked about; add --yes")
    given, said = list(words(paths)), Said(dry_run=False)
    with opened(root, dry_run=True) as (engine, _, _):  # who is asked may be slow, too, and others are not to wait
        chosen = said.known(given, Chosen(engine, root, (FAILED,), NOT_DELETED).path)
    photos = f"{len(chosen)} photo{'' if len(chosen) == 1 else 's'}"
    some = sorted(shown(photo.path) for photo in chosen)[:_NAMED] + ["…"] * (len(chosen) > _NAMED)
    if chosen and not yes and not typer.confirm(f"Delete {photos} for good ({', '.join(some)})?"):
        chosen = []
    with opened(root, dry_run=False) as (_, movers, _):
        said.backs(movers.deletions.delete(chosen))
        said.end("deleted", "deleted")


@app.command()
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
    from daemon.database import connections
    from daemon.destinations.folders import Destinations
    from daemon.inbox.claims import Claims
    from daemon.settings import load

    settings = load(root)
    folders, where = settings.folders, place(out, root, settings.folders)
    with connections.told():
        found = list(labelled(connections.reading(connections.url(root, settings.database.url)), corrected=corrected))
    with closing(Claims(root / folders.inbox)) as claims:
        counts, problems = write(found, Destinations(root, folders, claims), where, split=split)
    for problem in problems:
        typer.echo(f"foodsort: {problem}", err=True)
    if not counts:
        raise ExportError("there is no such photo to export; `foodsort correct` labels photos")
    said = (f"{counts[one, 'food']} food and {counts[one, 'non_food']} non_food in {one}" for one in SPLITS)
    others = f"; {len(problems)} could not be exported" if problems else ""
    photos = "1 photo is" if counts.total() == 1 else f"{counts.total()} photos are"
    typer.echo(f"{photos} in {shown(str(out))}: {', '.join(said)}{others}")
    if all(counts[one, label] for one in SPLITS for label in LABELS):
        typer.echo(f"train with: foodsort train --data {shlex.quote(shown(str(out)))} --out BUNDLE")
    else:
        more = "label more" if split else "divide them with --split, or put them to another data set"
        typer.echo(f"`foodsort train` needs photos of both labels in {', '.join(SPLITS)}: {more}")
    if problems:
        raise typer.Exit(1)
