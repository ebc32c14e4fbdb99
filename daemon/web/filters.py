"""Which photos a person wants to see, in which order; all of it stands in the page's address. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from models.errors import FoodsortError
from models.filenames import escape_control_characters

Show = Literal["", "food", "non_food", "unsure", "failed"]
Order = Literal["newest", "certainty"]


_YEARS = 1000, 9998
"""Years that stay within the calendar in every time zone, and that the database writes with four digits."""


class FilterError(FoodsortError):
    """Raised when an address asks for something that there cannot be."""


@dataclass(frozen=True)
class GalleryFilters:
    """Filters and order.

    show: photos of a label, or failed ones; "" all that are sorted. corrected: only those with a person's label.
    since, until: days or times, as the page's address has them; a day counts to its end. certainty: at most, 0.5 to 1.
    name: how it begins, or a pattern with * and ?.
    """

    show: Show = ""
    corrected: bool = False
    since: str = ""
    until: str = ""
    certainty: float | None = None
    name: str = ""
    order: Order = "newest"

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """From when and until when, the latter not included."""
        until = _time(self.until)
        if until and len(self.until) <= len("2026-11-24"):
            until += timedelta(days=1)
        return _time(self.since), until

    @property
    def query(self) -> str:
        """The filters as the query of an address, with its question mark; empty where nothing is asked for."""
        said = {
            "show": self.show,
            "corrected": "1" if self.corrected else "",
            "since": self.since,
            "until": self.until,
            "certainty": "" if self.certainty is None else f"{self.certainty:g}",
            "name": self.name,
            "order": "" if self.order == "newest" else self.order,
        }
        words = urlencode({key: value for key, value in said.items() if value})
        return f"?{words}" if words else ""

    def but(self, **changes: object) -> str:
        """The query of an address that asks for the same with some changes."""
        return replace(self, **changes).query or "?"  # type: ignore[arg-type]

    @property
    def chips(self) -> list[tuple[str, str]]:
        """The filters that do not show elsewhere, in words, each with the query that drops it."""
        said = []
        if self.certainty is not None:
            said.append((f"at most {100 * self.certainty:g} % sure", self.but(certainty=None)))
        if self.since:
            said.append((f"since {self.since.replace('T', ' ')}", self.but(since="")))
        if self.until:
            said.append((f"until {self.until.replace('T', ' ')}", self.but(until="")))
        if self.corrected:
            said.append(("labelled by a person", self.but(corrected=False)))
        if self.name:
            said.append((f"name {self.name}", self.but(name="")))
        return said


def read(words: Mapping[str, str]) -> GalleryFilters:
    """What the query of an address asks for. Raises FilterError."""
    show, order = words.get("show", ""), words.get("order") or "newest"
    if show not in get_args(Show) or order not in get_args(Order):
        raise FilterError(f"there is no {show!r} to show in the order {order!r}")
    since, until = words.get("since", ""), words.get("until", "")
    for time in (since, until):
        _time(time)
    name = escape_control_characters(words.get("name", "").strip())  # as it stands in the database
    return GalleryFilters(show, words.get("corrected") == "1", since, until, _certainty(words), name, order)  # type: ignore[arg-type]


def _certainty(words: Mapping[str, str]) -> float | None:
    given = words.get("certainty", "")
    try:
        certainty = float(given) if given else None
    except ValueError:
        raise FilterError(f"{given!r} is no certainty; it is a number from 0.5 to 1") from None
    if certainty is not None and not 0.5 <= certainty <= 1:
        raise FilterError(f"a photo is never {given} certain; it is a number from 0.5 to 1")
    return certainty


def _time(given: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(given) if given else None
        if time and not _YEARS[0] <= time.year <= _YEARS[1]:
            raise ValueError
        return time
    except ValueError:
        raise FilterError(f"{given!r} is no time; write it as 2026-11-24 or 2026-11-24T18:30") from None
