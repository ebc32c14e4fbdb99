"""`foodsort status`: shows the state of the daemon."""

import shlex

import typer

from daemon.cli.options import Format, Root
from models.filenames import escape_name


def status(
    root: Root,
    format: Format = "text",  # noqa: A002
) -> None:
    """Show whether the daemon is running, what it is doing, and recent errors; exit code 1 if it is not running.

    Example: foodsort status --root photos
    """
    import json

    from daemon.cli.output import prepare
    from daemon.monitoring.status_file import read
    from daemon.monitoring.status_text import lines
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    document = read(root, root / load(root).folders.inbox)
    typer.echo(json.dumps(document, ensure_ascii=False) if format == "json" else "\n".join(lines(document)))
    if not document["alive"]:
        name = escape_name(str(root))
        start = f"foodsort run --root {shlex.quote(name)}"
        typer.echo(f"foodsort: no daemon is running on {name}; start one with: {start}", err=True)
        raise typer.Exit(1)
