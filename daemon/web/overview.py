"""The overview: photos by time, predictions, agreement with people, throughput, and free disk space."""

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
from daemon.monitoring import status_file, status_text
from daemon.monitoring.drift import WINDOW, DriftWindow
from daemon.monitoring.status_document import DriftStatus
from daemon.settings import Settings
from daemon.web.agreement import agreement
from daemon.web.charts import chart
from daemon.web.services import services
from daemon.web.stats import ALL_TIME, Counts, NewestPhotos, Statistics
from daemon.web.templating import render
from models.bundle import Card
from models.errors import FoodsortError
from models.filenames import escape_name
from models.reference import BINS, Reference


class Period(NamedTuple):
    """A number of columns, each of some days."""

    columns: int
    days: int


PERIODS = {"week": Period(7, 1), "month": Period(30, 1), "year": Period(52, 7)}
"""Periods by their names in the address."""


class Span(NamedTuple):
    """Photos of some days, from the first to the last."""

    first: date
    last: date
    counts: Counts


class Bin(NamedTuple):
    """Photos with a similar probability of food.

    Attributes:
        low: Lowest probability, in per cent.
        high: Highest probability, in per cent.
        photos: How many.
        share: Their share of all photos, in [0, 1].
        expected: The share in the reference of the model's card; None without a reference.
        kind: food or non_food, by the card's threshold.
    """

    low: int
    high: int
    photos: int
    share: float
    expected: float | None
    kind: str


class Disk(NamedTuple):
    """The root's disk.

    Attributes:
        free: Free bytes.
        total: All bytes.
        database: Bytes of the database; None if that is unknown.
        room: How many more photos like the newest fit, to two digits; None without photos.
    """

    free: int
    total: int
    database: int | None
    room: int | None


def page(request: Request) -> Response:
    """The overview."""
    period = request.query_params.get("period", "month")
    if period not in PERIODS:
        raise HTTPException(400, f"There is no such period; use one of {', '.join(PERIODS)}.")
    shared = services(request)
    stats = shared.statistics
    now = datetime.now().astimezone()
    newest = stats.newest()
    card = _parse_card(newest)
    spans = spans_until(stats, now.date(), PERIODS[period])
    columns = spans[1:-1]
    hours = _hours(stats, now)
    root = escape_name(shlex.quote(str(shared.root)))
    context = {
        "section": "overview",
        "period": period,
        "periods": list(PERIODS),
        "totals": Counts(*(sum(counts) for counts in zip(*(span.counts for span in spans), strict=True))),
        "labelled": stats.labelled(),
        "spans": columns,
        "by_day": chart([span.counts._asdict() for span in columns]),
        "hours": hours,
        "by_hour": chart([{"photos": hour.total} for hour in hours]),
        "durations": _quantiles(newest.durations_s),
        "bins": bins(newest.p_food, card) if card and newest.p_food else [],
        "classified": len(newest.p_food),
        "model": newest.model,
        "drift": _drift(newest, card),
        "agreement": agreement(stats.label_pairs()),
        "export": ["foodsort export", "--root", root, "--out labelled", "--split"],
        "daemon": _daemon_facts(shared.root, shared.settings),
        "disk": _disk(shared.root, newest, stats.database_bytes()),
    }
    return render(request, "overview.html", context)


def spans_until(stats: Statistics, today: date, period: Period) -> list[Span]:
    """Photos of a period's columns up to today, in days of this machine's time zone.

    Returns:
        A span for all time before, a span for each column, and one for all time after.
    """
    firsts = [
        today + timedelta(days=1 - period.days * (period.columns - number)) for number in range(period.columns + 1)
    ]
    edges = [format_time(datetime.combine(first, time.min)) for first in firsts]  # local midnights
    counts = stats.between([ALL_TIME[0], *edges, ALL_TIME[1]])
    lasts = [first - timedelta(days=1) for first in firsts]
    return [Span(*span) for span in zip([date.min, *firsts], [*lasts, date.max], counts, strict=True)]


def bins(p_food: Sequence[float], card: Card) -> list[Bin]:
    """The distribution of P(food) in tenths, and the one that the model's card expects."""
    histogram = Reference.of(p_food, card.thresholds).histogram
    expected = card.reference.histogram if card.reference else None
    step = 100 // BINS
    return [
        Bin(
            low=number * step,
            high=(number + 1) * step,
            photos=count,
            share=count / len(p_food),
            expected=expected[number] / sum(expected) if expected else None,
            kind="food" if (number + 0.5) / BINS >= card.thresholds.food else "non_food",
        )
        for number, count in enumerate(histogram)
    ]


def _hours(stats: Statistics, now: datetime) -> list[Counts]:
    """Photos of each of the last 24 hours, including the current one."""
    end = now.replace(minute=0, second=0, microsecond=0).astimezone(UTC) + timedelta(hours=1)
    return stats.between([format_time(end - timedelta(hours=hour)) for hour in range(24, -1, -1)])


def _parse_card(newest: NewestPhotos) -> Card | None:
    """The card of the newest photos' model; None if another version of foodsort wrote one that this one cannot read."""
    try:
        return Card.model_validate_json(newest.card) if newest.card else None
    except ValidationError:
        return None


def _drift(newest: NewestPhotos, card: Card | None) -> DriftStatus | None:
    return DriftWindow(card, reversed(newest.p_food[:WINDOW])).drift() if card else None


def _quantiles(durations_s: Sequence[float]) -> tuple[float, float] | None:
    """The median and the 95th percentile (s); None for fewer than two values."""
    if len(durations_s) < 2:
        return None
    cuts = statistics.quantiles(durations_s, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _daemon_facts(root: Path, settings: Settings) -> list[tuple[str, str]]:
    """The daemon's status but for the drift, as names and texts."""
    try:
        status = status_file.read(root, root / settings.folders.inbox)
    except (FoodsortError, OSError):  # the page's user may lack the right to read it
        return []
    return [(name, text) for name, text in status_text.facts(status, datetime.now(UTC)) if name != "drift"]


def _disk(root: Path, newest: NewestPhotos, database_bytes: int | None) -> Disk:
    usage = shutil.disk_usage(root)
    mean_bytes = statistics.fmean(newest.sizes_bytes) if newest.sizes_bytes else 0
    room = int(float(f"{usage.free / mean_bytes:.2g}")) if mean_bytes else None
    return Disk(free=usage.free, total=usage.total, database=database_bytes, room=room)
