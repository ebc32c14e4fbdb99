"""`python -m benchmarks.review`: response times of the review page with many photos, on SQLite and PostgreSQL."""

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

from benchmarks.database_arguments import parse_arguments
from benchmarks.machine import machine
from benchmarks.synthetic_database import databases
from tests.daemon.web.conftest import reviewing


class ResponseTimes(NamedTuple):
    """The response times of one page, in milliseconds.

    Attributes:
        first_ms: Of the first request.
        median_ms: Median of the other requests.
        slowest_ms: Slowest of the other requests.
    """

    first_ms: float
    median_ms: float
    slowest_ms: float


def pages(rows: int) -> dict[str, str]:
    """Returns the paths of the requested pages by description. The newest photo is of 25 November 2026, noon."""
    photo = rows // 3
    middle = rows // 2
    return {
        "the first view": "/",
        "more, after half of the photos": f"/cards?after={middle}",
        "new photos, none": f"/cards?newer={rows}",
        "food": "/?show=food",
        "unsure (rare, old)": "/?show=unsure",
        "one day": "/?since=2026-11-24&until=2026-11-24",
        "one day, food": "/?since=2026-11-24&until=2026-11-24&show=food",
        "least certain first": "/?order=certainty",
        "least certain first, food": "/?order=certainty&show=food",
        "at most 60 % certain": "/?certainty=0.6",
        "labelled by a person": "/?corrected=1",
        "name, one": f"/?name=IMG_{photo:08}.jpg",
        "name, some": "/?name=IMG_00001",
        "name, rare and old": "/?name=trip_",
        "name, none": "/?name=nothing",
        "name, a pattern": "/?name=*99.jpg",
        "one photo": f"/photo/{photo}",
        "one photo among the least certain": f"/photo/{photo}?order=certainty",
        "failed": "/failed",
        "overview": "/overview",
        "overview of a year": "/overview?period=year",
    }


def main() -> None:
    """Prints the table."""
    arguments = parse_arguments("benchmarks.review", __doc__, repeats=10, repeats_help="requests of each page")
    output = Console(highlight=False, soft_wrap=True, width=160)
    output.print(f"{machine().describe()}; {arguments.rows} photos")
    with tempfile.TemporaryDirectory(prefix="foodsort-review-", dir=arguments.folder) as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        times = {
            name: _measure(root, database, arguments.rows, arguments.repeats)
            for name, database in databases(root, arguments.rows)
        }
    output.print(table(times))


def table(times_by_database: dict[str, dict[str, ResponseTimes]]) -> Table:
    """Builds a table with one row for each page; a cell has the median and, in brackets, the first and the slowest."""
    result = Table("page", *(f"{name}, ms" for name in times_by_database), box=MARKDOWN)
    for page in next(iter(times_by_database.values())):
        times = (times_by_page[page] for times_by_page in times_by_database.values())
        result.add_row(page, *(f"{one.median_ms:.0f} ({one.first_ms:.0f}, {one.slowest_ms:.0f})" for one in times))
    return result


def _measure(root: Path, database: sa.URL, rows: int, repeats: int) -> dict[str, ResponseTimes]:
    setting = database.render_as_string(hide_password=False)
    with (
        reviewing(root, FOODSORT_DATABASE__URL=setting) as address,
        httpx.Client(base_url=address, timeout=120) as client,
    ):
        return {page: _request(client, path, repeats) for page, path in pages(rows).items()}


def _request(client: httpx.Client, path: str, repeats: int) -> ResponseTimes:
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        client.get(path).raise_for_status()
        times.append((time.perf_counter() - begin) * 1e3)
    return ResponseTimes(first_ms=times[0], median_ms=statistics.median(times[1:]), slowest_ms=max(times[1:]))


if __name__ == "__main__":
    main()
