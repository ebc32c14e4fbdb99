"""Filters of the gallery; an address's query has all of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args
from urllib.parse import urlencode

from models.errors import FoodsortError
from models.filenames import escape_control_characters

Show = Literal["", "food", "non_food", "unsure", "failed"]
Sort = Literal["newest", "certainty"]

_EARLIEST_YEAR = 1000
_LATEST_YEAR = 9998
"""Years that are on the calendar in every time zone, and that the database writes with four digits."""


class FilterError(FoodsortError):
    """Raised when an address has a filter that does not exist."""


class Chip(NamedTuple):
    """A filter in use: its text, and the query of an address without it."""

    text: str
    query: str


@dataclass(frozen=True)
class GalleryFilters:
    """Filters and order.

    Attributes:
        show: Photos of a label, or failed ones; "" for all that are sorted.
        corrected: Only photos with a person's label.
        since: The first day or time, as the address has it.
        until: The last day, to its end, or the time before which photos were classified.
        certainty: The model's highest certainty, in [0.5, 1].
        name: How the name begins, or a pattern with * and ?.
        order: Which photos come first.
    """

    show: Show = ""
    corrected: bool = False
    since: str = ""
    until: str = ""
    certainty: float | None = None
    name: str = ""
    order: Sort = "newest"

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """The first time, and the time after the last one."""
        until = _parse_time(self.until)
        if until and len(self.until) <= len("2026-11-24"):
            until += timedelta(days=1)
        return _parse_time(self.since), until

    @property
    def pattern(self) -> str | None:
        """The name as a pattern of `queries.globs`: brackets are literal, and a name without * or ? is a prefix."""
        if not self.name:
            return None
        rest = "" if {"*", "?"} & {*self.name} else "*"
        return self.name.replace("[", "[[]") + rest

    @property
    def query(self) -> str:
        """The query of an address with these filters, with its question mark; empty without filters."""
        parameters = {
            "show": self.show,
            "corrected": "1" if self.corrected else "",
            "since": self.since,
            "until": self.until,
            "certainty": "" if self.certainty is None else f"{self.certainty:g}",
            "name": self.name,
            "order": "" if self.order == "newest" else self.order,
        }
        query = urlencode({name: value for name, value in parameters.items() if value})
        return f"?{query}" if query else ""

    def query_with(self, **changes: object) -> str:
        """The query of an address with these filters after some changes."""
        return replace(self, **changes).query or "?"  # type: ignore[arg-type]

    @property
    def chips(self) -> list[Chip]:
        """The filters in use that no other control shows."""
        chips = []
        if self.certainty is not None:
            chips.append(Chip(f"at most {100 * self.certainty:g} % sure", self.query_with(certainty=None)))
        if self.since:
            chips.append(Chip(f"since {self.since.replace('T', ' ')}", self.query_with(since="")))
        if self.until:
            chips.append(Chip(f"until {self.until.replace('T', ' ')}", self.query_with(until="")))
        if self.corrected:
            chips.append(Chip("labelled by a person", self.query_with(corrected=False)))
        if self.name:
            chips.append(Chip(f"name {self.name}", self.query_with(name="")))
        return chips


def parse(parameters: Mapping[str, str]) -> GalleryFilters:
    """Parses the query of an address. Raises FilterError."""
    show = parameters.get("show", "")
    order = parameters.get("order") or "newest"
    if show not in get_args(Show) or order not in get_args(Sort):
        raise FilterError(f"{show!r} cannot be shown in the order {order!r}")
    since = parameters.get("since", "")
    until = parameters.get("until", "")
    for time in (since, until):
        _parse_time(time)
    return GalleryFilters(
        show=show,  # type: ignore[arg-type]
        corrected=parameters.get("corrected") == "1",
        since=since,
        until=until,
        certainty=_parse_certainty(parameters.get("certainty", "")),
        name=escape_control_characters(parameters.get("name", "").strip()),  # as the database has it
        order=order,  # type: ignore[arg-type]
    )


def _parse_certainty(text: str) -> float | None:
    try:
        certainty = float(text) if text else None
    except ValueError:
        raise FilterError(f"{text!r} is not a certainty; use a number from 0.5 to 1") from None
    if certainty is not None and not 0.5 <= certainty <= 1:
        raise FilterError(f"{text} is not a certainty; use a number from 0.5 to 1")
    return certainty


def _parse_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if text else None
        if time and not _EARLIEST_YEAR <= time.year <= _LATEST_YEAR:
            raise ValueError
        return time
    except ValueError:
        raise FilterError(f"{text!r} is not a time; write it as 2026-11-24 or 2026-11-24T18:30") from None
