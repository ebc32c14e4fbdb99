"""`python -m benchmarks.rows`: what questions to a results database of many photos cost, SQLite and PostgreSQL side by side."""

import argparse
import os
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

from benchmarks.collection import databases
from benchmarks.machine import machine
from benchmarks.questions import Ask, of_foodsort, of_people
from daemon.database import connections
from daemon.database.recorder import Recorder
from models.bundle import Bundle

SLOW_MS = 1000.0


class Figure(NamedTuple):
    """One question: times in ms, the first (cold caches of the connection) and the median of the others, rows, the plans."""

    first_ms: float
    median_ms: float
    found: int
    plans: list[str]


def main() -> None:
    """Prints the table, and the plans of what is slow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="photos in the database (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each question is asked after a first time")
    parser.add_argument(
        "--folder", type=Path, help="where to put the databases; the system's temporary folder otherwise"
    )
    given = parser.parse_args()
    if given.rows < 10_000 or given.repeats < 1:
        parser.error("--rows: 10000 at least; --repeats: 1 at least")
    say = Console(highlight=False, soft_wrap=True, width=160).print
    here = machine()
    say(f"{here.processor}, {here.cores} cores, load {os.getloadavg()[0]:.1f}; {given.rows} photos")
    with tempfile.TemporaryDirectory(prefix="foodsort-rows-", dir=given.folder) as folder:
        found = databases(Path(folder), given.rows)
        columns = {name: measure(address, given.rows, given.repeats) for name, address in found}
    say(table(columns))
    for name, figures in columns.items():
        for question, figure in figures.items():
            if figure.median_ms > SLOW_MS:
                say("", f"{name}: {question}", *figure.plans, sep="\n  ", markup=False)


def table(columns: dict[str, dict[str, Figure]]) -> Table:
    """A row a question, with each database's median in ms."""
    shown = Table("question", *(f"{name}, ms" for name in columns), "rows", box=MARKDOWN)
    first, *_ = columns.values()
    for question, figure in first.items():
        times = (_rounded(figures[question].median_ms) for figures in columns.values())
        shown.add_row(question, *times, str(figure.found))
    return shown


def measure(address: sa.URL, rows: int, repeats: int) -> dict[str, Figure]:
    """Asks each question `repeats` times, after a first time."""
    engine = connections.connect_to_write(address)
    results = Recorder(engine)
    results.use_model(Bundle.load())
    try:
        asked = of_people(engine) | of_foodsort(engine, results, rows)
        return {name: _figure(engine, ask, repeats) for name, ask in asked.items()}
    finally:
        engine.dispose()


def _figure(engine: sa.Engine, ask: Ask, repeats: int) -> Figure:
    with _statements(engine) as statements:
        first, found = _timed(ask)
    times = [_timed(ask)[0] for _ in range(repeats)]
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    plans = []
    with engine.connect() as connection:
        for statement, values in statements:
            cursor = connection.connection.cursor()
            cursor.execute(f"{explain} {statement}", values)
            plans += [str(line[-1]) for line in cursor.fetchall()]
    return Figure(first, statistics.median(times), found, plans)


def _timed(ask: Ask) -> tuple[float, int]:
    begin = time.perf_counter()
    found = ask()
    return (time.perf_counter() - begin) * 1e3, found


def _rounded(ms: float) -> str:
    return f"{ms:.1f}" if ms < 10 else f"{ms:.0f}"


@contextmanager
def _statements(engine: sa.Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is asked meanwhile, with its values; of what is said of many rows at once, the first."""
    seen: list[tuple[str, Any]] = []

    def see(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if not statement.startswith(("PRAGMA", "INSERT")):
            seen.append((statement, values[0] if many else values))

    sa.event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", see)


if __name__ == "__main__":
    main()
