"""`foodsort status`: shows the state of the daemon."""

import shlex
from typing import Annotated, Literal

import typer

from daemon.cli.options import Root
from models.filenames import escape_name


def status(
    root: Root,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
) -> None:
    """Say whether the daemon lives, what it is at, and what went wrong lately; exit code 1 when it does not.

    Example: foodsort status --root photos
    """
    import json

    from daemon.cli.output import prepare
    from daemon.monitoring.status_file import read
    from daemon.monitoring.status_text import lines
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    state = read(root, root / load(root).folders.inbox)
    typer.echo(json.dumps(state, ensure_ascii=False) if format == "json" else "\n".join(lines(state)))
    if not state["alive"]:
        name = escape_name(str(root))
        start = f"foodsort run --root {shlex.quote(name)}"
        typer.echo(f"foodsort: no daemon runs on {name}; start one with: {start}", err=True)
        raise typer.Exit(1)
