"""`foodsort models`: lists learned models, puts one live, takes it back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from daemon.cli.options import Format, Root, TextFormat

if TYPE_CHECKING:
    from daemon.registry.learned import LearnedModel
    from daemon.settings import Settings


def models(
    root: Root,
    action: Annotated[Literal["list", "promote", "rollback"], typer.Argument(help="What to do.")] = "list",
    name: Annotated[
        str | None, typer.Argument(help="Model to promote: its name, or the start of its digest.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote it whatever its verdict.")] = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """List the learned models; put one live (promote), or take the live one back (rollback).

    A running daemon takes the change over within seconds. What is sorted already stays where it is:
    `foodsort reclassify` judges it again.

    Example: foodsort models promote 3f2a --root photos
    """
    from daemon.cli.output import prepare
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    if (action == "promote") != (name is not None):
        raise typer.BadParameter("promote needs the name of a model, and nothing else does: promote NAME")
    settings = load(root)
    if action == "list":
        _list(root, settings, format)
    else:
        _change(root, settings, name, format, force=force)


def _change(root: Path, settings: "Settings", name: str | None, form: TextFormat, *, force: bool) -> None:
    import json

    from daemon.database import addresses, connections, root_id
    from daemon.learning import promotion

    by = promotion.user_name()
    with connections.database_errors():
        engine = connections.connect_to_write(addresses.database_url(root, settings.database.url))
        root_id.check(root, engine)
        if name is not None:
            model = promotion.promote(root, settings, engine, name, by=by, force=force)
            live, text = model.name, f"{model.name} is live: {model.judgement.reason}"
            document: dict[str, Any] = {"live": live, "verdict": model.judgement.verdict}
        else:
            taken_back, again = promotion.rollback(root, settings, engine, by=by)
            live = again.name if again else "the bundle in the settings"
            text = f"{taken_back.name} is taken back; {live} is live"
            document = {"live": again.name if again else None, "taken_back": taken_back.name}
    if form == "json":
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    typer.echo(text)
    if name is None:
        typer.echo("photos that it re-sorted go back with: foodsort undo --batch ID (see `foodsort results`)")


def _list(root: Path, settings: "Settings", form: TextFormat) -> None:
    import json

    from daemon.database.timestamps import format_time
    from daemon.pipeline import loaded_model
    from daemon.registry.learned import learned_models
    from models.bundle import Bundle

    found = learned_models(root, settings.model.bundle)
    base = Bundle.load(loaded_model.configured_folder(root, settings))
    entries = [_entry(model) for model in found]
    entries.append(
        {
            "name": base.model_name,
            "path": str(base.folder),
            "live": not any(model.live for model in found),
            "made_at": format_time(base.card.created_at),
            "promoted_at": None,
            "verdict": None,
        }
    )
    if form == "json":
        typer.echo(json.dumps(entries, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", "model", "made", "verdict", "live since", box=None, pad_edge=False)
    for entry in entries:
        row = [entry["name"], entry["made_at"][:19], entry["verdict"] or "", (entry["promoted_at"] or "")[:19]]
        table.add_row("live" if entry["live"] else "", *row)
    Console(soft_wrap=True).print(table)


def _entry(model: "LearnedModel") -> dict[str, Any]:
    promotion = model.promotion
    return {
        "name": model.name,
        "path": str(model.folder),
        "live": model.live,
        "made_at": model.made_at,
        "promoted_at": promotion.promoted_at if promotion else None,
        "verdict": model.judgement.verdict,
        "reason": model.judgement.reason,
        "promoted_by": promotion.by if promotion else None,
        "taken_back_at": promotion.taken_back_at if promotion else None,
    }
