"""`foodsort reclassify`: judges sorted photos again and moves those whose label changes."""

from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Any

import typer

from daemon.cli.options import Format, Root, time_option
from daemon.cli.reclassify_session import Outcome, apply_judgements, judge_photos, open_session, recover
from models.plurals import plural


def reclassify(
    root: Root,
    all_: Annotated[bool, typer.Option("--all", help="Judge all sorted photos that no person has labelled.")] = False,
    since: Annotated[datetime | None, time_option("Judge the photos classified at or after this time")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Judge the photos that this model classified: its name or its digest's start."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge and show what would change; move nothing.")] = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """Judge sorted photos again with the model in use, and move those whose label changes, as one batch.

    By default: the photos that another model classified, and those with P(food) from 0.05 to 0.95. Never those that a
    person has labelled. It may run beside the daemon, at the lowest priority. A call that was ended is continued by the
    next one. `foodsort undo --batch ID` takes the batch back.

    Example: foodsort reclassify --root photos --dry-run
    """
    import json

    from daemon.cli import tables
    from daemon.cli.output import prepare
    from daemon.database import connections
    from daemon.queries.reclassification import differences

    prepare("table" if format == "text" else "json", live=False)
    with connections.database_errors(), ExitStack() as stack:
        session = open_session(root, stack, since=since, model=model, everything=all_)
        if not dry_run:
            recover(session)
        engine_name = judge_photos(session)
        found = differences(session.engine, session.choice)
        session.outcome.changed = len(found)
        if not dry_run:
            apply_judgements(session, engine_name)
    outcome = session.outcome
    if format == "json":
        typer.echo(json.dumps(_as_json(outcome)))
    else:
        if found:
            tables.differences(found)
        typer.echo(_summary(outcome, session.bundle.model_name, dry_run=dry_run))
    if outcome.problems:
        raise typer.Exit(1)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in ("judged", "changed", "moved", "batch")}


def _summary(outcome: Outcome, model: str, *, dry_run: bool) -> str:
    photos = f"{outcome.judged} {plural(outcome.judged, 'photo')} judged by {model}"
    problems = f"; {outcome.problems} could not be judged or moved" if outcome.problems else ""
    if dry_run:
        return f"{photos}: {outcome.changed} would get another label{problems}"
    batch = "" if outcome.batch is None else f"; `foodsort undo --batch {outcome.batch}` takes that back"
    return f"{photos}: {outcome.changed} with another label, {outcome.moved} moved{batch}{problems}"
