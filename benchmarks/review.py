"""`python -m benchmarks.review`: how soon the review page answers with many photos, SQLite and PostgreSQL side by side."""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import sqlalchemy as sa
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.collection import databases
from benchmarks.machine import machine
from tests.daemon.web.conftest import reviewing


class Figure(NamedTuple):
    """Times of one address in ms: the first answer, and the median and the slowest of those that followed."""

    first_ms: float
    median_ms: float
    slowest_ms: float


def addresses(rows: int) -> dict[str, str]:
    """What is asked, in words and as the page's own addresses have it; the collection ends on 25 November 2026, at noon."""
    some, deep = rows // 3, rows // 2
    return {
        "the first view": "/",
        "more, after half of the photos": f"/cards?after={deep}",
        "new photos, none": f"/cards?newer={rows}",
        "food": "/?show=food",
        "unsure (rare, old)": "/?show=unsure",
        "one day": "/?since=2026-11-24&until=2026-11-24",
        "one day, food": "/?since=2026-11-24&until=2026-11-24&show=food",
        "least certain first": "/?order=certainty",
        "least certain first, food": "/?order=certainty&show=food",
        "at most 60 % sure": "/?certainty=0.6",
        "labelled by a person": "/?corrected=1",
        "name, one": f"/?name=IMG_{some:08}.jpg",
        "name, some": "/?name=IMG_00001",
        "name, rare and old": "/?name=trip_",
        "name, none": "/?name=nothing",
        "name, a pattern": "/?name=*99.jpg",
        "one photo": f"/photo/{some}",
        "one photo among the least certain": f"/photo/{some}?order=certainty",
        "failed": "/failed",
        "overview": "/overview",
        "overview of a year": "/overview?period=year",
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="photos in the database (%(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="how often each is asked after a first time")
    parser.add_argument("--folder", type=Path, help="where to put the databases; else the system's temporary folder")
    given = parser.parse_args()
    if given.rows < 10_000 or given.repeats < 1:
        parser.error("--rows: 10000 at least; --repeats: 1 at least")
    say = Console(highlight=False, soft_wrap=True, width=160).print
    here = machine()
    say(f"{here.processor}, {here.cores} cores, load {os.getloadavg()[0]:.1f}; {given.rows} photos")
    with tempfile.TemporaryDirectory(prefix="foodsort-review-", dir=given.folder) as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        columns = {
            name: _measure(root, database, given.rows, given.repeats) for name, database in databases(root, given.rows)
        }
    say(table(columns))


def table(columns: dict[str, dict[str, Figure]]) -> Table:
    """A row an address: the median of each database's answers, and in brackets the first and the slowest of the others, in ms."""
    shown = Table("asked for", *(f"{name}, ms" for name in columns), box=MARKDOWN)
    for asked in next(iter(columns.values())):
        times = (figures[asked] for figures in columns.values())
        shown.add_row(asked, *(f"{one.median_ms:.0f} ({one.first_ms:.0f}, {one.slowest_ms:.0f})" for one in times))
    return shown


def _measure(root: Path, database: sa.URL, rows: int, repeats: int) -> dict[str, Figure]:
    setting = database.render_as_string(hide_password=False)
    with (
        reviewing(root, FOODSORT_DATABASE__URL=setting) as address,
        httpx.Client(base_url=address, timeout=120) as client,
    ):
        return {asked: _figure(client, path, repeats) for asked, path in addresses(rows).items()}


def _figure(client: httpx.Client, path: str, repeats: int) -> Figure:
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        client.get(path).raise_for_status()
        times.append((time.perf_counter() - begin) * 1e3)
    return Figure(times[0], statistics.median(times[1:]), max(times[1:]))


if __name__ == "__main__":
    main()
