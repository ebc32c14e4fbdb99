"""`foodsort doctor`: checks what the daemon needs."""

from typing import Annotated, Literal

import typer

from daemon.cli.options import Root
from models.errors import FoodsortError


def doctor(
    root: Root,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than a moment.")] = False,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
) -> None:
    """Check what the daemon needs, and say how to mend what it lacks; exit code 1 when there is a problem.

    Example: foodsort doctor --root photos
    """
    import json

    from daemon.cli.output import prepare
    from daemon.doctor import as_json, examine
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    if not root.is_dir():
        raise FoodsortError(f"{root} is no folder; `foodsort init {root}` makes one")
    findings = []
    for finding in examine(root, load(root), quick=quick):
        findings.append(finding)
        if format == "text":
            typer.echo(f"{finding.level:8} {finding.check:22} {finding.message}")
    if format == "json":
        typer.echo(json.dumps([as_json(finding) for finding in findings], ensure_ascii=False, indent=2))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
