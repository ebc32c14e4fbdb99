"""The command about people's labels: `correct`."""

import os
import sys
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from daemon.commands_back import DryRun, opened
from daemon.options import Root

app = typer.Typer()


@app.command()
def correct(
    root: Root,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Photos or folders, as they lie or as `foodsort results` shows them; - reads them from stdin, one a line.",
        ),
    ],
    label: Annotated[Literal["food", "non_food"], typer.Option(help="What the photos show.")],
    dry_run: DryRun = False,
) -> None:
    """Record what a person says that sorted photos show, and move them to the folder of that label.

    Example: foodsort correct --root photos food/trip/sea.jpg --label non_food
    """
    from daemon.chosen import Chosen
    from daemon.corrections import NO_LABEL
    from daemon.states import FILED

    with opened(root, dry_run=dry_run) as (engine, _, corrections, said):
        chosen = said.known(list(_named(paths)), Chosen(engine, root, (FILED,), NO_LABEL).path)
        said.backs(corrections.would_correct(chosen, label) if dry_run else corrections.correct(chosen, label))
        said.end(f"labelled {label} by a person", "labelled")


def _named(paths: list[str]) -> Iterator[str]:
    """The paths, with the lines of stdin in place of a dash."""
    for path in paths:
        if path == "-":
            yield from (os.fsdecode(line) for line in sys.stdin.buffer.read().split(b"\n") if line)
        else:
            yield path
