"""`foodsort correct`: records a person's label."""

from typing import Annotated, Literal

import typer

from daemon.cli.options import HELP, DryRun, Root
from daemon.cli.paths import words
from daemon.cli.report import opened


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
    from daemon.queries.selection import PhotoSelection

    if withdraw == (label is not None):
        raise typer.BadParameter("say what is to be done, in one way: --label LABEL or --withdraw")
    given = list(words(paths))  # before the turn is taken: who writes them may be slow
    with opened(root, dry_run=dry_run) as (engine, movers, said):
        corrections = movers.corrections
        chosen = said.known(given, PhotoSelection(engine, root, (FILED,), NO_LABEL).path)
        if label is None:
            said.backs(corrections.would_withdraw(chosen) if dry_run else corrections.withdraw(chosen))
            said.end("without the label that a person gave last", "changed")
        else:
            said.backs(corrections.would_correct(chosen, label) if dry_run else corrections.correct(chosen, label))
            said.end(f"labelled {label} by a person", "labelled")
