"""`foodsort run`: the daemon."""

from typing import Annotated

import typer

from daemon.cli.options import Root


def run(
    root: Root,
    once: Annotated[bool, typer.Option("--once", help="Sort what is there, then end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen to what is there, and touch nothing.")
    ] = False,
) -> None:
    """Sort photos as they come, until stopped.

    Example: foodsort run --root photos
    """
    from rich.console import Console

    from daemon.database import connections
    from daemon.monitoring.log import configure
    from daemon.monitoring.progress import Progress, summary
    from daemon.service.lifecycle import Service
    from daemon.settings import load

    settings = load(root)
    console = Console(stderr=True)
    configure(terminal=console.is_terminal and not dry_run, form=settings.log.format)
    with connections.told(), Progress(console) as progress:
        service = Service(root, settings, progress, once=once, dry_run=dry_run)
        service.run()
    done = "would be sorted" if dry_run else "sorted"
    total = service.counts.total()
    typer.echo(
        f"{total} photo{'' if total == 1 else 's'} {done}: {summary(service.counts)}; {service.left} had to stay in the inbox"
    )
    if once and service.left:
        raise typer.Exit(1)
