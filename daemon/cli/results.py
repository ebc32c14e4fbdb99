"""The command that asks the database: `results`."""

import sys
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.cli.options import Root, time_option
from daemon.photo import State
from models.errors import FoodsortError
from models.filenames import escape_control_characters

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.queries.results import Filters

OutputFormat = Literal["table", "json", "jsonl", "csv"]
By = Literal["day", "label", "model", "camera"]
Sort = Literal["newest", "oldest", "certainty", "name"]

TABLE_LIMIT = 50
_COUNTED = 100_000  # photos, which takes a few milliseconds
_MOST = 2**63 - 2  # one more is the largest number of a database
_PAUSE_MS = 500


def results(
    root: Root,
    format: Annotated[OutputFormat, typer.Option(help="How to print.")] = "table",  # noqa: A002
    label: Annotated[Literal["food", "non_food", "unsure"] | None, typer.Option(help="Photos of this label.")] = None,
    since: Annotated[datetime | None, time_option("Classified at or after this time.")] = None,
    until: Annotated[datetime | None, time_option("Classified before this time.")] = None,
    min_probability: Annotated[
        float | None, typer.Option(min=0, max=1, help="Photos whose label is at least so probable.")
    ] = None,
    state: Annotated[State | None, typer.Option(help="Photos in this state.")] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Photos of this name, in which *, ? and brackets mean what they do in a shell."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most rows, or groups; a table shows 50 when not given.")
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="What comes first; by certainty, that of which the model was least sure.")
    ] = "newest",
    by: Annotated[
        By | None, typer.Option(help="Count photos instead: of each day (UTC), label, model, camera.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with new photos as they come, until Ctrl-C.")] = False,
) -> None:
    """Ask the database what became of the photos, newest first.

    Example: foodsort results --root photos --label food --since 2026-11-01 --format csv
    """
    from daemon.cli import output
    from daemon.database import addresses, connections
    from daemon.queries.results import Filters
    from daemon.settings import load

    if by and sort != "newest":
        raise typer.BadParameter("groups have an order of their own; leave out --sort or --by")
    if watch and (by or sort != "newest"):
        raise typer.BadParameter("--watch prints photos as they come; leave out --by and --sort")
    if watch and format == "json":
        raise typer.BadParameter("an array has an end, and --watch has none; take --format jsonl")
    if not root.is_dir():
        raise FoodsortError(f"{root} is no folder; `foodsort init {root}` makes one")
    address = addresses.url(root, load(root).database.url)
    if format == "table" and limit is None:
        limit = TABLE_LIMIT
    limit = limit and min(limit, _MOST)
    filters = Filters(label, since, until, min_probability, state, name, limit, sort)
    output.prepare(format, live=watch)
    if watch and format != "json":
        _watch(address, filters, format)
        return
    with connections.told():
        engine = connections.reading(address)
        try:
            _groups(engine, filters, format, by) if by else _photos(engine, filters, format)
        finally:
            engine.dispose()


def _photos(engine: "sa.Engine", filters: "Filters", form: OutputFormat) -> None:
    from daemon.cli import output, tables
    from daemon.database import schema
    from daemon.queries import results as query

    found = query.rows(engine, filters)
    if form != "table":
        output.write(found, [column.name for column in schema.results.c], form)
    elif tables.photos(found) == filters.limit:
        _tell_of_more(engine, filters, filters.limit)


def _groups(engine: "sa.Engine", filters: "Filters", form: OutputFormat, by: By) -> None:
    from daemon.cli import output, tables
    from daemon.queries import counts

    columns = counts.columns(by)
    if form != "table":
        output.write(counts.groups(engine, filters, by), columns, form)
        return
    most = filters.limit or TABLE_LIMIT
    found = list(counts.groups(engine, replace(filters, limit=most + 1), by))
    tables.groups(found[:most], columns)
    if len(found) > most:
        typer.echo(f"{most:,} group{'' if most == 1 else 's'} shown; --limit shows more", err=True)


def _tell_of_more(engine: "sa.Engine", filters: "Filters", shown: int) -> None:
    """Says on stderr that there are more photos, or may be: they are counted only where that is quick."""
    from daemon.queries import results as query

    if not query.is_everything(filters):
        typer.echo(f"{shown:,} shown; a higher --limit may show more", err=True)
        return
    count = query.count(engine, _COUNTED + 1)
    if count > shown:
        known = f"{count:,}" if count <= _COUNTED else f"more than {_COUNTED:,}"
        typer.echo(f"{shown:,} of {known} photos; --limit shows more", err=True)


def _watch(address: "sa.URL", filters: "Filters", form: Literal["table", "jsonl", "csv"]) -> None:
    from daemon.cli import output, tables
    from daemon.database import schema
    from daemon.queries.follow import Follower

    rows = iter(
        Follower(
            address,
            filters,
            _pause,
            lambda error: typer.echo(f"foodsort: {escape_control_characters(str(error))}; waiting", err=True),
        )
    )
    if form == "table":
        tables.follow(rows)
    else:
        output.write(rows, [column.name for column in schema.results.c], form)


def _pause() -> bool:
    """Waits a moment; returns False when nobody reads stdout any more."""
    import select

    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)  # what is never asked for, and always told: it is closed at the other end
    return not reader.poll(_PAUSE_MS)
