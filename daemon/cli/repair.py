"""`foodsort repair`: brings the rows of the database and the folders together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import DryRun, Format, Root
from models.filenames import escape_name

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.actions.facts import Differences, Step
    from daemon.actions.inventory import Inventory
    from daemon.actions.repair_writer import RepairWriter
    from daemon.actions.result import ActionResult
    from daemon.settings import Settings


def repair(
    root: Root,
    dry_run: DryRun = False,
    classify: Annotated[
        bool, typer.Option("--classify", help="Classify photos without a row; otherwise their folder is their label.")
    ] = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """Compare the database with the folders, both ways, and correct the rows; photos are only read. Stop the daemon first.

    Photos without a row get one, rows whose photo is gone become `missing`, and the row of a photo that a person moved
    or renamed follows it. Of a damaged database, all rows that can be read are kept.

    Example: foodsort repair --root photos --dry-run
    """
    import json

    from daemon.actions.inventory import Inventory
    from daemon.actions.repair import RepairAction
    from daemon.actions.repair_session import open_for_preview, open_for_repair
    from daemon.cli.action_session import print_wait
    from daemon.cli.output import prepare
    from daemon.database import connections
    from daemon.inbox.companions import CompanionRules
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    settings = load(root)
    with connections.database_errors(), ExitStack() as stack:
        session = stack.enter_context(
            open_for_preview(root, settings, on_salvage=_print_note)
            if dry_run
            else open_for_repair(
                root, settings, on_salvage=_print_note, on_wait=print_wait, on_recovered=_print_recovered
            )
        )
        inventory = Inventory(root, settings, session.claims)
        action = RepairAction(
            inventory,
            session.claims,
            session.engine,
            CompanionRules(settings.watch.companion_endings, ignore_case=session.claims.ignores_case()),
            on_step=_print_step if format == "text" else lambda step: None,
            on_unreadable=lambda place, reason: _print_note(f"{escape_name(place)} {reason}"),
        )
        if dry_run:
            found = action.preview()
        else:
            open_writer = _classifying_writer if classify else _writer
            found = action.apply(stack.enter_context(open_writer(root, settings, inventory, session.engine)))
    if format == "json":
        typer.echo(json.dumps(_as_json(found)))
    else:
        typer.echo(_summary(found, dry_run=dry_run))
    if found.unreadable:
        raise typer.Exit(1)


@contextmanager
def _writer(root: Path, settings: "Settings", inventory: "Inventory", engine: "sa.Engine") -> Iterator["RepairWriter"]:
    """A writer for which the folder of a photo is its label."""
    from daemon.actions.repair_writer import RepairWriter

    yield RepairWriter(inventory, engine)


@contextmanager
def _classifying_writer(
    root: Path, settings: "Settings", inventory: "Inventory", engine: "sa.Engine"
) -> Iterator["RepairWriter"]:
    """A writer that classifies photos with the model in the settings. Raises FoodsortError."""
    from functools import partial

    from daemon.actions.repair_writer import RepairWriter
    from daemon.database.recorder import Recorder
    from daemon.decoders.pool import DecoderPool
    from daemon.pipeline import loaded_model
    from daemon.pipeline.loaded_model import LoadedModel
    from daemon.pipeline.predictor import Predictor, decode_open

    bundle = loaded_model.load(root, settings)
    network = loaded_model.warm(root, settings, bundle)
    recorder = Recorder(engine)
    recorder.use_model(bundle)
    images = settings.images
    with (
        DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s) as decoders,
        Predictor(
            LoadedModel(bundle, network),
            partial(decode_open, decoders=decoders),
            decoders.size,
            unsure=bool(settings.folders.unsure),
        ) as predictor,
    ):
        yield RepairWriter(
            inventory, engine, classifier=predictor.predict, model_id=recorder.model_id, engine_name=network.name
        )


def _as_json(found: "Differences") -> dict[str, int]:
    counts = found.counts
    return {
        "added": counts["add"],
        "missing": counts["lose"],
        "merged": counts["merge"],
        "unchanged": found.unchanged,
        "moved": counts["move"],
        "changed": counts["change"],
        "refreshed": counts["refresh"],
        "ignored": found.ignored,
        "unreadable": found.unreadable,
        "companions_added": found.companions["add"],
        "companions_missing": found.companions["lose"],
        "companions_moved": found.companions["move"] + found.companions["find"],
    }


def _summary(found: "Differences", *, dry_run: bool) -> str:
    counts = _as_json(found)
    parts = ", ".join(f"{counts[name]} {name}" for name in ("added", "missing", "merged", "moved", "changed"))
    names = ("companions_added", "companions_missing", "companions_moved")
    more = ", ".join(f"{counts[name]} {name.removeprefix('companions_')}" for name in names if counts[name])
    companions = f"; companions: {more}" if more else ""
    return f"{'would be: ' if dry_run else ''}{parts}; {counts['unchanged']} unchanged{companions}"


def _print_step(step: "Step") -> None:
    place = escape_name(step.row.place) if step.row else ""
    file = escape_name(step.file.place) if step.file else ""
    lines = {
        "add": f"added    {file}",
        "lose": f"missing  {place}",
        "merge": f"merged   {place}: row {step.row and step.row.id} into row {step.into}",
        "move": f"moved    {place} → {file}" if place != file else f"found    {file}",
        "change": f"changed  {file}",
    }
    typer.echo(lines[step.action])


def _print_recovered(_action: str, result: "ActionResult") -> None:
    place = escape_name(result.place or result.photo.path)
    _print_note(f"{place} {result.problem or 'was on its way when another call ended, and has arrived'}")


def _print_note(message: str) -> None:
    typer.echo(f"foodsort: {message}", err=True)
