"""`python -m benchmarks.rows`: query times of a results database with many photos, on SQLite and PostgreSQL."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.database_arguments import parse_arguments
from benchmarks.machine import machine
from benchmarks.queries import Query, daemon_queries, document_queries
from benchmarks.synthetic_database import databases
from daemon.database import connections
from daemon.database.recorder import Recorder
from models.bundle import Bundle

SLOW_MS = 1000.0


class QueryTimes(NamedTuple):
    """The result of one query.

    Attributes:
        first_ms: Time of the first execution, with cold caches.
        median_ms: Median time of the others.
        rows: Number of rows.
        plans: The query plans.
    """

    first_ms: float
    median_ms: float
    rows: int
    plans: list[str]


def main() -> None:
    """Prints the table, and the plans of slow queries."""
    arguments = parse_arguments("benchmarks.rows", __doc__, repeats=3, repeats_help="executions of each query")
    output = Console(highlight=False, soft_wrap=True, width=160)
    output.print(f"{machine().describe()}; {arguments.rows} photos")
    with tempfile.TemporaryDirectory(prefix="foodsort-rows-", dir=arguments.folder) as folder:
        times_by_database = {
            name: measure(address, arguments.rows, arguments.repeats)
            for name, address in databases(Path(folder), arguments.rows)
        }
    output.print(table(times_by_database))
    for database, times_by_query in times_by_database.items():
        for query, times in times_by_query.items():
            if times.median_ms > SLOW_MS:
                output.print("", f"{database}: {query}", *times.plans, sep="\n  ", markup=False)


def table(times_by_database: dict[str, dict[str, QueryTimes]]) -> Table:
    """Builds a table with one row for each query: each database's median in ms, and the number of rows."""
    result = Table("query", *(f"{name}, ms" for name in times_by_database), "rows", box=MARKDOWN)
    for query, first_times in next(iter(times_by_database.values())).items():
        medians = (_format_ms(times_by_query[query].median_ms) for times_by_query in times_by_database.values())
        result.add_row(query, *medians, str(first_times.rows))
    return result


def measure(address: sa.URL, rows: int, repeats: int) -> dict[str, QueryTimes]:
    """Executes each query once, then `repeats` times."""
    engine = connections.connect_to_write(address)
    recorder = Recorder(engine)
    recorder.use_model(Bundle.load())
    try:
        queries = document_queries(engine) | daemon_queries(engine, recorder, rows)
        return {name: _measure(engine, query, repeats) for name, query in queries.items()}
    finally:
        engine.dispose()


def _measure(engine: sa.Engine, query: Query, repeats: int) -> QueryTimes:
    with _captured_statements(engine) as statements:
        first_ms, rows = _time(query)
    times = [_time(query)[0] for _ in range(repeats)]
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    plans = []
    with engine.connect() as connection:
        for statement, values in statements:
            cursor = connection.connection.cursor()
            cursor.execute(f"{explain} {statement}", values)
            plans += [str(line[-1]) for line in cursor.fetchall()]
    return QueryTimes(first_ms=first_ms, median_ms=statistics.median(times), rows=rows, plans=plans)


def _time(query: Query) -> tuple[float, int]:
    begin = time.perf_counter()
    rows = query()
    return (time.perf_counter() - begin) * 1e3, rows


def _format_ms(ms: float) -> str:
    return f"{ms:.1f}" if ms < 10 else f"{ms:.0f}"


@contextmanager
def _captured_statements(engine: sa.Engine) -> Iterator[list[tuple[str, Any]]]:
    """Captures the statements of the block with their values; of executemany, the first values."""
    statements: list[tuple[str, Any]] = []

    def capture(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if not statement.startswith(("PRAGMA", "INSERT")):
            statements.append((statement, values[0] if many else values))

    sa.event.listen(engine, "before_cursor_execute", capture)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", capture)


if __name__ == "__main__":
    main()
