"""`foodsort correct`: records a label by a person."""

from typing import Annotated, Literal

import typer

from daemon.cli.action_session import open_session
from daemon.cli.options import PATHS_HELP, DryRun, Root
from daemon.cli.paths import path_arguments


def correct(
    root: Root,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=PATHS_HELP)],
    label: Annotated[Literal["food", "non_food"] | None, typer.Option(help="Label to record.")] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Remove the newest label by a person from each photo.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Record a label by a person for sorted photos, and move them to the folder of that label.

    Example: foodsort correct --root photos food/trip/sea.jpg --label non_food
    """
    from daemon.photo import FILED
    from daemon.queries.explanations import WHY_NOT_LABELLED

    if withdraw == (label is not None):
        raise typer.BadParameter("choose one: --label LABEL or --withdraw")
    arguments = list(path_arguments(paths))  # read before the lock is taken: their writer may be slow
    with open_session(root, dry_run=dry_run) as session:
        action = session.actions.correct
        arguments = session.follow(arguments)
        photos = session.report.select(arguments, session.selection((FILED,), WHY_NOT_LABELLED).by_path)
        if label is None:
            session.report.show(action.preview_withdraw(photos) if dry_run else action.withdraw(photos))
            session.report.finish("without the newest label by a person", failure="changed")
        else:
            session.report.show(action.preview_label(photos, label) if dry_run else action.label(photos, label))
            session.report.finish(f"labelled {label} by a person", failure="labelled")
