"""How the chapters write numbers and tables."""

from collections.abc import Iterable

from training.report.document import Table

LISTED = 50
"""Rows of a table that is there to be read."""


def percent(share: float, decimals: int) -> str:
    """A share from 0 to 1 in hundredths."""
    return f"{100 * share:.{decimals}f} %"


def percent_range(interval: Iterable[float] | None, decimals: int) -> str:
    """An interval of a share in hundredths; "" where there is none."""
    return "" if interval is None else " to ".join(f"{100 * end:.{decimals}f}" for end in interval) + " %"


def number(value: float | None) -> str:
    """A figure with four decimals; a dash where it has no value."""
    return "–" if value is None else f"{value:.4f}"


def number_range(interval: Iterable[float] | None) -> str:
    """An interval of a figure; "" where there is none."""
    return "" if interval is None else " to ".join(f"{end:.4f}" for end in interval)


def first_rows(head: list[str], rows: Iterable[list[str]], note: str = "", *, prose: bool = False) -> Table:
    """A table of at most `LISTED` rows, which says so when there are more."""
    rows = list(rows)
    more = f"the first {LISTED} of {len(rows):,}" if len(rows) > LISTED else ""
    return Table(head, rows[:LISTED], ", ".join(text for text in (note, more) if text), prose)
