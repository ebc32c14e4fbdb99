"""Formats numbers and tables for the sections."""

from collections.abc import Iterable

from training.report.document import Table

MAX_ROWS = 50
"""Rows shown of a long table."""


def percent(share: float, decimals: int) -> str:
    """Formats a share from 0 to 1 in percent."""
    return f"{100 * share:.{decimals}f} %"


def percent_interval(interval: Iterable[float] | None, decimals: int) -> str:
    """Formats an interval of a share in percent; "" without an interval."""
    return "" if interval is None else " to ".join(f"{100 * end:.{decimals}f}" for end in interval) + " %"


def number(value: float | None) -> str:
    """Formats a metric with four decimals; a dash without a value."""
    return "–" if value is None else f"{value:.4f}"


def number_interval(interval: Iterable[float] | None) -> str:
    """Formats an interval of a metric with four decimals; "" without an interval."""
    return "" if interval is None else " to ".join(f"{end:.4f}" for end in interval)


def truncated_table(header: list[str], rows: Iterable[list[str]], caption: str = "", *, prose: bool = False) -> Table:
    """Builds a table of at most `MAX_ROWS` rows. If there are more, the caption says so."""
    rows = list(rows)
    truncation = f"the first {MAX_ROWS} of {len(rows):,}" if len(rows) > MAX_ROWS else ""
    return Table(
        header=header,
        rows=rows[:MAX_ROWS],
        caption=", ".join(text for text in (caption, truncation) if text),
        prose=prose,
    )
