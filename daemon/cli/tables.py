"""Tables for people: no wider than the terminal, with every path in full."""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.photo import FAILED, FILED
from models.filenames import escape_control_characters

if TYPE_CHECKING:
    from rich.table import Table

    from daemon.queries.companions import CompanionRow
    from daemon.queries.reclassification import LabelDifference
    from daemon.queries.results import ResultRow

_WHEN, _P_FOOD = "when (UTC)", "P(food)"
_ORDER = ("id", _WHEN, "label", _P_FOOD, "taken", "camera", "model", "path")
_DROPPED_FIRST = ("id", _WHEN, _P_FOOD)  # left out, in this order, where a path would be too narrow
_OPTIONAL = ("taken", "camera", "model")  # shown where no path has to be folded for them
_MIN_PATH_WIDTH = 24
_MIN_GROUP_WIDTH = 4
_GAP = 2
_UNBOUNDED_WIDTH = 100_000  # without a terminal
_STYLES = {"food": "green", "non_food": "cyan", "unsure": "yellow"}


def photos(rows: "Iterable[ResultRow]") -> int:
    """Prints rows of the view `results`; returns their number."""
    from rich.cells import cell_len
    from rich.text import Text

    lines = [_cells(row) for row in rows]
    widths = {name: max(cell_len(text) for text in (name, *(cells[name] for cells in lines))) for name in _ORDER}
    columns = _fitting(widths, _terminal_width())
    table = _table(columns, right=("id", _P_FOOD), fold="path")
    for cells in lines:
        # As Text: rich would interpret a name that looks like its markup or an emoji code.
        table.add_row(*(Text(cells[name], _style(cells[name]) if name == "label" else "") for name in columns))
    _print(table)
    if any("*" in cells["label"] for cells in lines):
        sys.stdout.write("* by a person\n")
    return len(lines)


def companions(rows: "Iterable[CompanionRow]") -> None:
    """Prints companions, each with its photo."""
    from rich.text import Text

    table = _table(("photo", "state", "companion"), right=(), fold="companion")
    for row in rows:
        table.add_row(*(Text(text) for text in (row["photo"], row["state"], row["path"])))
    _print(table)


def differences(rows: "Iterable[LabelDifference]") -> None:
    """Prints photos whose label changes, with the label before and after."""
    from rich.text import Text

    table = _table(("before", "after", _P_FOOD, "path"), right=(_P_FOOD,), fold="path")
    for row in rows:
        before = row.old_label or "none"
        labels = (Text(label, _style(label)) for label in (before, row.new_label))
        table.add_row(*labels, Text(f"{row.probability:.3f}"), Text(row.path))
    _print(table)


def groups(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Prints rows of counts. The first column names the group; where room is short, the last counts are left out."""
    from rich.cells import cell_len
    from rich.text import Text

    by, *counts = columns
    group_title = "day (UTC)" if by == "day" else by
    lines = [
        (escape_control_characters(row[by]) if row[by] else "none", *(f"{row[name]:,}" for name in counts))
        for row in rows
    ]
    widths = [max(map(cell_len, column)) for column in zip((group_title, *counts), *lines, strict=True)]
    widths[0] = min(widths[0], _MIN_PATH_WIDTH)
    while len(widths) > 2 and sum(widths) + _GAP * (len(widths) - 1) > _terminal_width():
        widths.pop()
    table = _table([group_title, *counts][: len(widths)], right=counts, fold=group_title)
    for cells in lines:
        table.add_row(*map(Text, cells[: len(widths)]))
    _print(table, min_width=_MIN_GROUP_WIDTH + sum(widths[1:]) + _GAP * len(widths[1:]))


def follow(rows: "Iterable[ResultRow]") -> None:
    """Prints a line for each row of the view `results` as it comes; a terminal folds long lines."""
    sys.stdout.write(_line({name: name for name in _ORDER}))
    for row in rows:
        sys.stdout.write(_line(_cells(row)))


def _line(cells: Mapping[str, str]) -> str:
    return f"{cells['id']:>7}  {cells[_WHEN]:16}  {cells['label']:12}  {cells[_P_FOOD]:>7}  {cells['path']}\n"


def _cells(row: "ResultRow") -> dict[str, str]:
    return {
        "id": str(row["id"]),
        _WHEN: _minute(row["classified_at"] or row["claimed_at"]),
        "label": _label(row),
        _P_FOOD: "" if row["probability"] is None else f"{row['probability']:.3f}",
        "taken": _minute(row["taken_at"] or ""),
        "camera": escape_control_characters(row["camera"] or ""),
        "model": escape_control_characters(row["model"] or ""),
        "path": row["path"],
    }


def _label(row: "ResultRow") -> str:
    """The label, marked if it is by a person, or the kind of error; and the state, unless it is a common one."""
    label = row["label"] or row["error_kind"] or ""
    mark = "*" if row["corrected_label"] else ""
    state = "" if row["state"] in {FILED, FAILED} else f", {row['state']}"
    return f"{label}{mark}{state}"


def _style(label: str) -> str:
    return _STYLES.get(label.partition(",")[0].removesuffix("*"), "red")


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _fitting(widths: Mapping[str, int], terminal_width: int) -> list[str]:
    """The columns to show, in order."""

    def table_width(names: Iterable[str], path_width: int) -> int:
        return sum(widths[name] + _GAP for name in names if name != "path") + path_width

    names = [name for name in _ORDER if name not in _OPTIONAL]
    for name in _DROPPED_FIRST:
        if table_width(names, min(widths["path"], _MIN_PATH_WIDTH)) > terminal_width:
            names.remove(name)
    for name in _OPTIONAL:
        if table_width([*names, name], widths["path"]) <= terminal_width:
            names.append(name)
    return [name for name in _ORDER if name in names]


def _terminal_width() -> int:
    # Not rich's own default, which is 80 for a pipe too: there each row stays on one line.
    return shutil.get_terminal_size((_UNBOUNDED_WIDTH, 0)).columns


def _table(names: Sequence[str], right: Sequence[str], fold: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for name in names:
        justify: Any = "right" if name in right else "left"
        table.add_column(name, justify=justify, no_wrap=name != fold, overflow="fold")
    return table


def _print(table: "Table", min_width: int = 0) -> None:
    from rich.console import Console

    Console(width=max(_terminal_width(), min_width)).print(table)
