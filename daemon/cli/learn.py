"""`foodsort learn`: makes a candidate from people's labels."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import Format, Root

if TYPE_CHECKING:
    from daemon.learning.learner import Learned


def learn(
    root: Root,
    promote: Annotated[
        bool, typer.Option("--promote", help="Put the candidate live unless its verdict forbids it.")
    ] = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """Learn from people's labels: make a candidate of the model and judge it against the live one.

    Example: foodsort learn --root photos
    """
    import json

    from daemon.cli.output import prepare
    from daemon.database import addresses, connections, root_id
    from daemon.learning import learner, promotion
    from daemon.pipeline import loaded_model
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    settings = load(root)
    address = addresses.database_url(root, settings.database.url)
    with connections.database_errors():
        engine = connections.connect_to_write(address)
        root_id.check(root, engine)
        with _progress() as on_start:
            result = learner.learn(
                root,
                settings,
                engine,
                configured=loaded_model.configured_folder(root, settings),
                live=loaded_model.load(root, settings),
                on_start=on_start,
            )
        promoted = promote and promotion.is_allowed(result.model.judgement.verdict)
        if promoted:
            promotion.promote(root, settings, engine, result.model.sha256, by=promotion.user_name())
    for problem in result.problems:
        typer.echo(f"foodsort: not learned from: {problem}", err=True)
    if format == "json":
        typer.echo(json.dumps(_as_json(result), ensure_ascii=False))
        return
    typer.echo(result.output.rstrip())
    typer.echo(f"report: {result.model.folder / 'report.html'}")
    is_allowed = promotion.is_allowed(result.model.judgement.verdict)
    typer.echo(_advice(root, result, promoted=promoted, is_allowed=is_allowed))


def _advice(root: Path, result: "Learned", *, promoted: bool, is_allowed: bool) -> str:
    name = result.model.name
    if promoted:
        return f"{name} is live; judge the sorted photos with it: foodsort reclassify --root {root} --dry-run"
    if is_allowed:
        return f"put it live with: foodsort models promote {name} --root {root}"
    return f"{name} is not put live; label more photos on the review page (Teach) and learn again"


def _as_json(result: "Learned") -> dict[str, Any]:
    judgement = result.model.judgement
    sets = {"guard": judgement.guard, "held_out": judgement.held_out, "audit": judgement.audit}
    return {
        "candidate": result.model.name,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "labels": judgement.labels,
        "weight": judgement.weight,
        **{name: comparison.model_dump() for name, comparison in sets.items()},
        "asked_again": list(judgement.asked_again),
        "path": str(result.model.folder),
        "problems": result.problems,
    }


@contextmanager
def _progress() -> Iterator[Callable[[int], Callable[[], None]]]:
    """A bar on a terminal for the photos whose features are computed."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr)
    with Progress(console=console, disable=not console.is_terminal) as bar:

        def start(photos: int) -> Callable[[], None]:
            task = bar.add_task("labelled photos", total=photos)
            return lambda: bar.advance(task)

        yield start
