"""The command `foodsort`: the daemon's commands, and those that other rooms add under `foodsort.commands`."""

from importlib.metadata import entry_points
from typing import Annotated

import typer

from daemon.cli.import_guard import check

check()

from daemon.cli import bench, classify, correct, delete, doctor, export, init, results, retry, review, run, status, undo
from models import __version__
from models.cli import CommandLine

app = CommandLine(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sorts photos dropped into a folder into food/ and non_food/, each with a row in a database.",
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
    review.review,
    export.export,
    bench.bench,
):
    app.command()(_command)
for _room in entry_points(group="foodsort.commands"):
    app.add_typer(_room.load())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"foodsort {__version__}")
        raise typer.Exit


@app.callback()
def foodsort(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sorts photos dropped into a folder into food/ and non_food/, each with a row in a database."""
