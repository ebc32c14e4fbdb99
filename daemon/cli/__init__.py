"""The command `foodsort`: the daemon's commands, and those of other packages (entry points `foodsort.commands`)."""

from importlib.metadata import entry_points
from typing import Annotated

import typer

from daemon.cli.import_guard import check

check()

from daemon.cli import (
    bench,
    classify,
    correct,
    delete,
    doctor,
    export,
    init,
    learn,
    models,
    reclassify,
    repair,
    results,
    retry,
    review,
    run,
    status,
    undo,
)
from models import __version__
from models.cli import CommandLine

app = CommandLine(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sort photos dropped into a folder into food/ and non_food/, with a database row for each.",
)
for _command in (
    init.init,
    run.run,
    classify.classify,
    results.results,
    status.status,
    doctor.doctor,
    undo.undo,
    retry.retry,
    correct.correct,
    delete.delete,
    repair.repair,
    reclassify.reclassify,
    review.review,
    export.export,
    learn.learn,
    models.models,
    bench.bench,
):
    app.command()(_command)
for _entry_point in entry_points(group="foodsort.commands"):
    app.add_typer(_entry_point.load())


def _version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"foodsort {__version__}")
        raise typer.Exit


@app.callback()
def foodsort(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sort photos dropped into a folder into food/ and non_food/, with a database row for each."""
