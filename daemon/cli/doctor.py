"""`foodsort doctor`: checks the daemon's requirements."""

from typing import Annotated

import typer

from daemon.cli.options import Format, Root
from models.errors import FoodsortError


def doctor(
    root: Root,
    quick: Annotated[bool, typer.Option("--quick", help="Skip the checks that take longer than a moment.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Compare all rows of the database with all files, instead of a sample.")
    ] = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """Check folders, rights, events, model and database, and show how to fix problems; exit code 1 if there are any.

    Example: foodsort doctor --root photos
    """
    import json

    from daemon.cli.output import prepare
    from daemon.doctor import as_json, examine
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    if not root.is_dir():
        raise FoodsortError(f"{root} is not a folder; `foodsort init {root}` creates it")
    findings = []
    for finding in examine(root, load(root), quick=quick, full=full):
        findings.append(finding)
        if format == "text":
            typer.echo(f"{finding.level:8} {finding.check:22} {finding.message}")
    if format == "json":
        typer.echo(json.dumps([as_json(finding) for finding in findings], ensure_ascii=False, indent=2))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
