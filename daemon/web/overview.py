"""The overview: how many photos came, how the model judges them, whether people agree, how fast it goes, how full the disk is."""

import shlex
import shutil
import statistics
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from daemon.database.timestamps import format_time
from daemon.monitoring.drift import WINDOW, Drift, DriftWindow
from daemon.monitoring.status_file import read
from daemon.monitoring.status_text import facts
from daemon.settings import Settings
from daemon.web.agreement import agreement
from daemon.web.charts import chart
from daemon.web.stats import EVER, Counts, Newest, Statistics
from models.bundle import Card
from models.errors import FoodsortError
from models.filenames import escape_name
from models.reference import BINS, Reference

PERIODS = {"week": (7, 1), "month": (30, 1), "year": (52, 7)}
"""What the photos are counted over, by its name in the address: how many columns, of how many days each."""


class Span(NamedTuple):
    """Photos of some days: the first of them and the last, and what came."""

    first: date
    last: date
    counts: Counts


class Bin(NamedTuple):
    """The photos that the model gives food from `low` to `high` per cent. expected: of as many, by the model's card."""

    low: int
    high: int
    photos: int
    share: float
    expected: float | None
    kind: str


class Disk(NamedTuple):
    """Sizes in bytes. room: for how many more photos like the newest, to two digits; None while there are none."""

    free: int
    total: int
    database: int | None
    room: int | None


def page(request: Request) -> Response:
    """The overview."""
    period = request.query_params.get("period", "month")
    if period not in PERIODS:
        raise HTTPException(400, f"There is no such period; there are {', '.join(PERIODS)}.")
    state = request.app.state
    tally: Statistics = state.tally
    now, newest = datetime.now().astimezone(), tally.newest()
    card = _card(newest)
    spans, hours = days(tally, now.date(), *PERIODS[period]), _hours(tally, now)
    columns = spans[1:-1]
    said = {
        "where": "overview",
        "period": period,
        "periods": list(PERIODS),
        "totals": Counts(*(sum(counts) for counts in zip(*(span.counts for span in spans), strict=True))),
        "labelled": tally.labelled(),
        "spans": columns,
        "by_day": chart([span.counts._asdict() for span in columns]),
        "hours": hours,
        "by_hour": chart([{"photos": hour.total} for hour in hours]),
        "taking": _quantiles(newest.taking_s),
        "bins": bins(newest.p_food, card) if card and newest.p_food else [],
        "judged": len(newest.p_food),
        "model": newest.model,
        "drift": _drift(newest, card),
        "agreement": agreement(tally.said()),
        "export": ["foodsort export", "--root", escape_name(shlex.quote(str(state.root))), "--out labelled", "--split"],
        "daemon": _daemon(state.root, state.settings),
        "disk": _disk(state.root, newest, tally.database_bytes()),
    }
    answer: Response = state.templates.TemplateResponse(request, "overview.html", said)
    return answer


def days(tally: Statistics, today: date, columns: int, step: int) -> list[Span]:
    """What came on the days of this machine's time zone up to today, `step` of them at a time.

    Before these stands what came earlier, behind them what came later.
    """
    firsts = [today + timedelta(days=1 - step * (columns - number)) for number in range(columns + 1)]
    edges = [format_time(datetime.combine(first, time.min)) for first in firsts]  # local midnights
    counts = tally.between([EVER[0], *edges, EVER[1]])
    lasts = [first - timedelta(days=1) for first in firsts]
    return [Span(*span) for span in zip([date.min, *firsts], [*lasts, date.max], counts, strict=True)]


def bins(p_food: Sequence[float], card: Card) -> list[Bin]:
    """How P(food) is spread, in tenths, beside what the model's card expects."""
    found = Reference.of(p_food, card.thresholds).histogram
    expected = card.reference.histogram if card.reference else None
    step = 100 // BINS
    return [
        Bin(
            number * step,
            (number + 1) * step,
            count,
            count / len(p_food),
            expected[number] / sum(expected) if expected else None,
            "food" if (number + 0.5) / BINS >= card.thresholds.food else "non_food",
        )
        for number, count in enumerate(found)
    ]


def _hours(tally: Statistics, now: datetime) -> list[Counts]:
    """What came in each of the last 24 hours, the one that is under way included."""
    end = now.replace(minute=0, second=0, microsecond=0).astimezone(UTC) + timedelta(hours=1)
    return tally.between([format_time(end - timedelta(hours=hour)) for hour in range(24, -1, -1)])


def _card(newest: Newest) -> Card | None:
    """The card of the model that judged the newest photos; None where another version of foodsort wrote it."""
    try:
        return Card.model_validate_json(newest.card) if newest.card else None
    except ValidationError:
        return None


def _drift(newest: Newest, card: Card | None) -> Drift | None:
    return DriftWindow(card, reversed(newest.p_food[:WINDOW])).drift() if card else None


def _quantiles(taking_s: Sequence[float]) -> tuple[float, float] | None:
    """How long half of the photos took at most, and how long 95 % of them."""
    if len(taking_s) < 2:
        return None
    cuts = statistics.quantiles(taking_s, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _daemon(root: Path, settings: Settings) -> list[tuple[str, str]]:
    """What the daemon says of itself, but for the drift."""
    try:
        state = read(root, root / settings.folders.inbox)
    except (FoodsortError, OSError):  # the page may belong to somebody who may not read it
        return []
    return [(name, said) for name, said in facts(state, datetime.now(UTC)) if name != "drift"]


def _disk(root: Path, newest: Newest, database_bytes: int | None) -> Disk:
    usage = shutil.disk_usage(root)
    mean = statistics.fmean(newest.sizes_bytes) if newest.sizes_bytes else 0
    room = int(float(f"{usage.free / mean:.2g}")) if mean else None
    return Disk(usage.free, usage.total, database_bytes, room)
