"""`foodsort run`: the daemon."""

from typing import Annotated

import typer

from daemon.cli.options import Root
from models.plurals import plural


def run(
    root: Root,
    once: Annotated[bool, typer.Option("--once", help="Sort the photos in the inbox, then exit.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen to the photos in the inbox, and change nothing.")
    ] = False,
) -> None:
    """Sort photos as they arrive, until stopped.

    Example: foodsort run --root photos
    """
    from rich.console import Console

    from daemon.database import connections
    from daemon.monitoring import log
    from daemon.monitoring.line_writer import LineWriter
    from daemon.monitoring.progress import Progress, summary
    from daemon.service.lifecycle import Service
    from daemon.settings import load

    settings = load(root)
    console = Console(stderr=True)
    log.configure(terminal=console.is_terminal and not dry_run, form=settings.log.format)
    try:
        with connections.database_errors(), Progress(console) as progress:
            service = Service(root, settings, progress, once=once, dry_run=dry_run)
            service.start()
            service.run()
    finally:
        log.flush()
    total = service.counts.total()
    photos = f"{total} {plural(total, 'photo')} {'would be sorted' if dry_run else 'sorted'}"
    line = f"{photos}: {summary(service.counts)}; {service.left} had to stay in the inbox"
    if once or dry_run:
        typer.echo(line)
    else:  # a stop waits for no reader
        stdout = LineWriter(1)
        stdout.write(f"{line}\n".encode())
        stdout.flush(log.FLUSH_S)
    if once and service.left:
        raise typer.Exit(1)
