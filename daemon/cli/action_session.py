"""Opens the database, the actions and the report of a command that changes photos."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon.cli.report import ActionReport
from models.filenames import escape_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from daemon.actions.context import Actions
    from daemon.drags.writer import Drag
    from daemon.photo import State
    from daemon.queries.arguments import PathArgument
    from daemon.queries.selection import PhotoSelection
    from daemon.settings import Settings


@dataclass(frozen=True)
class ActionSession:
    """The database, the actions and the report of a command that changes photos."""

    root: Path
    settings: "Settings"
    engine: "sa.Engine"
    actions: "Actions"
    report: ActionReport
    dry_run: bool

    def follow(self, paths: "list[PathArgument]") -> "list[PathArgument]":
        """Lets rows follow photos that a person has just moved by hand; returns their paths as rows have them now."""
        if self.dry_run or not self.settings.folders.drags:
            return paths
        from daemon.drags.follower import DragFollower
        from daemon.drags.search import DragSearch

        follower = DragFollower(self.root, self.settings, self.actions, self.engine)
        return DragSearch(self.root, follower, _print_drag).follow(paths)

    def selection(self, states: "Sequence[State]", refusals: "Mapping[State, str] | None" = None) -> "PhotoSelection":
        """Selects photos of the root in these states; `refusals`: why photos in other states are not selected."""
        from daemon.queries.explanations import WHY_NOT_MOVED
        from daemon.queries.selection import PhotoSelection

        return PhotoSelection(self.engine, self.root, states, WHY_NOT_MOVED if refusals is None else refusals)


@contextmanager
def open_session(root: Path, *, dry_run: bool) -> Iterator[ActionSession]:
    """Opens the actions of a root: for previews, or with the action lock and after recovery.

    Raises:
        FoodsortError: The settings, the database or the inbox cannot be used.
    """
    from daemon.actions.context import open_actions, preview_actions
    from daemon.database import addresses, connections, root_id
    from daemon.settings import load

    settings = load(root)
    folders = settings.folders
    address = addresses.database_url(root, settings.database.url)
    report = ActionReport(dry_run=dry_run)
    with connections.database_errors(), ExitStack() as stack:
        engine = connections.connect_to_read(address) if dry_run else connections.connect_to_write(address)
        stack.callback(engine.dispose)
        root_id.check(root, engine)
        if dry_run:
            actions = stack.enter_context(preview_actions(root, folders, engine))
        else:
            actions = stack.enter_context(
                open_actions(root, folders, engine, on_wait=print_wait, on_recovered=report.show_recovered)
            )
        yield ActionSession(root, settings, engine, actions, report, dry_run)


def print_wait() -> None:
    """Tells a person that the command waits for the action lock."""
    typer.echo("foodsort: another call of foodsort is moving photos; waiting until it is done", err=True)


def _print_drag(drag: "Drag") -> None:
    label = f", which counts as the label {drag.label}" if drag.label else ""
    message = f"{escape_name(drag.row.place)} was moved by hand to {escape_name(drag.file.place)}{label}"
    typer.echo(f"foodsort: {message}", err=True)
