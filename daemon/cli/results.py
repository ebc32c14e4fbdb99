"""`foodsort results`: asks the database."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.cli.options import OutputFormat, Root, time_option
from daemon.photo import State
from daemon.queries.arguments import GroupBy, SortOrder
from models import Label
from models.errors import FoodsortError
from models.filenames import escape_control_characters
from models.plurals import plural

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.database.addresses import DatabaseError
    from daemon.queries.audit import Accuracy
    from daemon.queries.filters import Filters
    from daemon.settings import Settings

TABLE_LIMIT = 50
_MAX_COUNTED = 100_000  # photos, which takes a few milliseconds
_MAX_LIMIT = 2**63 - 2  # one less than the largest integer of a database


def results(
    root: Root,
    format: Annotated[OutputFormat, typer.Option(help="Output format.")] = "table",  # noqa: A002
    label: Annotated[Label | None, typer.Option(help="Only photos with this label.")] = None,
    since: Annotated[datetime | None, time_option("Only photos classified at or after this time")] = None,
    until: Annotated[datetime | None, time_option("Only photos classified before this time")] = None,
    min_probability: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only photos whose label has at least this probability.")
    ] = None,
    state: Annotated[State | None, typer.Option(help="Only photos in this state.")] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only photos with this name; *, ? and brackets match as in a shell."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of rows or groups (default: 50 in a table, else all).")
    ] = None,
    sort: Annotated[
        SortOrder, typer.Option(help="Order of the rows; certainty shows the least certain predictions first.")
    ] = "newest",
    by: Annotated[
        GroupBy | None, typer.Option(help="Count photos by day (UTC), label, model or camera instead.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Continue with new photos as they arrive, until Ctrl-C.")
    ] = False,
    companions: Annotated[
        bool, typer.Option("--companions", help="List the companions of these photos instead, such as sidecars.")
    ] = False,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="Only audited photos: labelled by a person without the model's label in view."),
    ] = False,
    cursor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --watch: go on where the last reading with this file stopped; also show photos that change.",
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="In CSV, leave texts that a spreadsheet would run as formulas as they are.")
    ] = False,
) -> None:
    """Show the results of the photos, newest first.

    Example: foodsort results --root photos --label food --since 2026-11-01 --format csv
    """
    from daemon.cli import output
    from daemon.database import addresses, connections
    from daemon.queries.filters import Filters
    from daemon.settings import load

    conflicts = {
        "groups have their own order; leave out --sort or --by": by and sort != "newest",
        "--watch shows photos as they arrive; leave out --by and --sort": watch and (by or sort != "newest"),
        "--watch never ends, and a JSON array must; use --format jsonl": watch and format == "json",
        "--companions is a list of files; leave out --by and --watch": companions and (by or watch),
        "--audit judges the model as it is now; leave out --watch": audit and watch,
        "--cursor goes on with a reading; use it with --watch --format jsonl": cursor
        and (not watch or format != "jsonl"),
        "--cursor leaves out no photo; leave out --limit": cursor and limit is not None,
        "--raw is for --format csv; the other formats are exact": raw and format != "csv",
    }
    for message, is_conflict in conflicts.items():
        if is_conflict:
            raise typer.BadParameter(message)
    if not root.is_dir():
        raise FoodsortError(f"{root} is not a folder; `foodsort init {root}` creates it")
    settings = load(root)
    address = addresses.database_url(root, settings.database.url)
    if format == "table" and limit is None:
        limit = TABLE_LIMIT
    filters = Filters(
        label=label,
        since=since,
        until=until,
        min_probability=min_probability,
        states=(state,) if state else (),
        name=name,
        limit=limit and min(limit, _MAX_LIMIT),
        sort=sort,
        audited=audit,
    )
    output.prepare(format, live=watch)
    if cursor:
        _watch_changes(address, filters, cursor)
        return
    if watch and format != "json":
        _watch(address, filters, format, raw=raw)
        return
    with connections.database_errors():
        engine = connections.connect_to_read(address)
        try:
            if by:
                _write_groups(engine, filters, format, by, raw=raw)
            elif companions:
                _write_companions(engine, filters, format, raw=raw)
            elif audit:
                _write_audit(engine, filters, format, root, settings, raw=raw)
            else:
                _write_rows(engine, filters, format, raw=raw)
        finally:
            engine.dispose()


def _write_rows(engine: "sa.Engine", filters: "Filters", form: OutputFormat, *, raw: bool) -> None:
    from daemon.cli import output, tables
    from daemon.database import schema
    from daemon.queries import results as query

    rows = query.rows(engine, filters)
    if form != "table":
        output.write(rows, [column.name for column in schema.results.c], form, raw=raw)
    elif tables.photos(rows) == filters.limit:
        _print_remaining(engine, filters, filters.limit)


def _write_companions(engine: "sa.Engine", filters: "Filters", form: OutputFormat, *, raw: bool) -> None:
    from daemon.cli import output, tables
    from daemon.queries import companions as query

    rows = query.rows(engine, filters)
    if form == "table":
        tables.companions(rows)
    else:
        output.write(rows, query.COLUMNS, form, raw=raw)


def _write_audit(
    engine: "sa.Engine", filters: "Filters", form: OutputFormat, root: Path, settings: "Settings", *, raw: bool
) -> None:
    """Writes audited photos with the live model's labels; with a table comes the model's accuracy on all of them."""
    from daemon.cli import output
    from daemon.database import schema
    from daemon.pipeline import loaded_model
    from daemon.queries import audit
    from daemon.queries import results as query

    audited = audit.audited(engine, loaded_model.sha256(root, settings))
    if form == "table":
        _write_rows(engine, filters, form, raw=raw)
        typer.echo(_accuracy_line(audit.accuracy(audited)))
        return
    live = {photo.sha256: {"live_label": photo.live_label, "live_is_right": photo.is_right} for photo in audited}
    rows = ({**row, **live[row["sha256"]]} for row in query.rows(engine, filters) if row["sha256"] in live)
    output.write(rows, [*(column.name for column in schema.results.c), "live_label", "live_is_right"], form, raw=raw)


def _accuracy_line(accuracy: "Accuracy") -> str:
    if accuracy.ci95 is None or accuracy.share is None:
        result = f"the live model has seen none of {accuracy.answers:,} audited {plural(accuracy.answers, 'photo')}"
    else:
        low, high = accuracy.ci95
        result = (
            f"the live model is right on {accuracy.right:,} of {accuracy.of:,} audited photos:"
            f" {100 * accuracy.share:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
        )
    return f"{result}; {accuracy.missing:,} more for ± 3 %" if accuracy.missing else result


def _write_groups(engine: "sa.Engine", filters: "Filters", form: OutputFormat, by: GroupBy, *, raw: bool) -> None:
    from daemon.cli import output, tables
    from daemon.queries import counts

    columns = counts.columns(by)
    if form != "table":
        output.write(counts.groups(engine, filters, by), columns, form, raw=raw)
        return
    limit = filters.limit or TABLE_LIMIT
    groups = list(counts.groups(engine, replace(filters, limit=limit + 1), by))
    tables.groups(groups[:limit], columns)
    if len(groups) > limit:
        typer.echo(f"{limit:,} {plural(limit, 'group')} shown; --limit shows more", err=True)


def _print_remaining(engine: "sa.Engine", filters: "Filters", shown: int) -> None:
    """Prints on stderr that there are more photos, or may be: they are counted only where that is quick."""
    from daemon.queries import results as query

    if not filters.is_everything:
        typer.echo(f"{shown:,} shown; a higher --limit may show more", err=True)
        return
    count = query.count(engine, _MAX_COUNTED + 1)
    if count > shown:
        total = f"{count:,}" if count <= _MAX_COUNTED else f"more than {_MAX_COUNTED:,}"
        typer.echo(f"{shown:,} of {total} photos; --limit shows more", err=True)


def _watch(address: "sa.URL", filters: "Filters", form: Literal["table", "jsonl", "csv"], *, raw: bool) -> None:
    from daemon.cli import output, tables
    from daemon.database import schema
    from daemon.queries.follow import Follower

    rows = iter(Follower(address, filters, pause=_pause, on_error=_print_waiting))
    if form == "table":
        tables.follow(rows)
    else:
        output.write(rows, [column.name for column in schema.results.c], form, raw=raw)


def _watch_changes(address: "sa.URL", filters: "Filters", path: Path) -> None:
    from contextlib import closing

    from daemon.cli.cursor_file import CursorFile
    from daemon.cli.delivery import Delivery
    from daemon.queries.changes import ChangeReader, OtherDatabase

    delivery = Delivery(sys.stdout.buffer)
    with closing(CursorFile(path)) as cursor:

        def pause(pause_s: float) -> bool:
            cursor.save(delivery.reached())
            return _pause(pause_s)

        try:
            for position, row in ChangeReader(address, filters, cursor.position, pause, _print_waiting):
                delivery.add(position, row)
                if cursor.is_due:
                    cursor.save(delivery.reached())
        except OtherDatabase as error:
            raise FoodsortError(
                f"the cursor {path} {error}; name another file, or delete it to begin with the first photo again"
            ) from error
        finally:
            cursor.save(delivery.reached())


def _print_waiting(error: "DatabaseError") -> None:
    typer.echo(f"foodsort: {escape_control_characters(str(error))}; waiting", err=True)


def _pause(pause_s: float) -> bool:
    """Waits; returns False at once when the reader of stdout has closed it."""
    import select

    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)  # poll always reports a closed pipe
    return not reader.poll(1000 * pause_s)
