"""The commands about people's labels: `correct` and `export`."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.commands_back import HELP, DryRun, opened
from daemon.named import words
from daemon.options import Root

app = typer.Typer()


@app.command()
def correct(
    root: Root,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=HELP)],
    label: Annotated[Literal["food", "non_food"], typer.Option(help="What the photos show.")],
    dry_run: DryRun = False,
) -> None:
    """Record what a person says that sorted photos show, and move them to the folder of that label.

    Example: foodsort correct --root photos food/trip/sea.jpg --label non_food
    """
    from daemon.chosen import Chosen
    from daemon.corrections import NO_LABEL
    from daemon.states import FILED

    given = list(words(paths))  # before the turn is taken: who writes them may be slow
    with opened(root, dry_run=dry_run) as (engine, _, corrections, said):
        chosen = said.known(given, Chosen(engine, root, (FILED,), NO_LABEL).path)
        said.backs(corrections.would_correct(chosen, label) if dry_run else corrections.correct(chosen, label))
        said.end(f"labelled {label} by a person", "labelled")


@app.command()
def export(
    root: Root,
    out: Annotated[Path, typer.Option(metavar="DATA", help="New folder for the data set.")],
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
    from daemon import database
    from daemon.claim import Claims
    from daemon.destinations import Destinations
    from daemon.export import LABELS, SPLITS, ExportError, labelled, place, write
    from daemon.settings import load

    settings = load(root)
    folders, where = settings.folders, place(out, root, settings.folders)
    with database.told():
        found = list(labelled(database.reading(database.url(root, settings.database.url)), corrected=corrected))
    with closing(Claims(root / folders.inbox)) as claims:
        counts, problems = write(found, Destinations(root, folders, claims), where, split=split)
    for problem in problems:
        typer.echo(f"foodsort: {problem}", err=True)
    if not counts:
        raise ExportError("there is no such photo to export; `foodsort correct` labels photos")
    said = (f"{counts[one, 'food']} food and {counts[one, 'non_food']} non_food in {one}" for one in SPLITS)
    others = f"; {len(problems)} could not be exported" if problems else ""
    typer.echo(f"{counts.total()} photos are in {out}: {', '.join(said)}{others}")
    if all(counts[one, label] for one in SPLITS for label in LABELS):
        typer.echo(f"train with: foodsort train --data {out} --out BUNDLE")
    else:
        more = "label more" if split else "divide them with --split, or put them to another data set"
        typer.echo(f"`foodsort train` needs photos of both labels in {', '.join(SPLITS)}: {more}")
    if problems:
        raise typer.Exit(1)
