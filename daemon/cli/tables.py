"""Answers as tables for people: no wider than the terminal, and no path cut off."""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.photo import FAILED, FILED
from models.filenames import escape_control_characters

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]

_WHEN, _P_FOOD = "when (UTC)", "P(food)"
_ORDER = ("id", _WHEN, "label", _P_FOOD, "taken", "camera", "model", "path")
_DISPENSABLE = ("id", _WHEN, _P_FOOD)  # left out, in this order, where a path would have too little room
_WITH_ROOM = ("taken", "camera", "model")  # shown where no path has to be folded for it
_NARROWEST_PATH = 24
_NARROWEST_GROUP = 4
_GAP = 2
_UNBOUNDED = 100_000  # columns where there is no terminal
_STYLES = {"food": "green", "non_food": "cyan", "unsure": "yellow"}


def photos(rows: Iterable[Row]) -> int:
    """Prints rows of the view `results`; returns how many."""
    from rich.cells import cell_len
    from rich.text import Text

    found = [_cells(row) for row in rows]
    widths = {name: max(cell_len(text) for text in (name, *(cells[name] for cells in found))) for name in _ORDER}
    shown = _fitting(widths, _room())
    table = _table(shown, right=("id", _P_FOOD), fold="path")
    for cells in found:
        # As text: rich would read marks and emojis into a name that looks like them.
        table.add_row(*(Text(cells[name], _style(cells[name]) if name == "label" else "") for name in shown))
    _print(table)
    if any("*" in cells["label"] for cells in found):
        sys.stdout.write("* by a person\n")
    return len(found)


def groups(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Prints rows of counts, the first column saying of what, as many columns as there is room for: of the counts the first."""
    from rich.cells import cell_len
    from rich.text import Text

    by, *counts = columns
    head = "day (UTC)" if by == "day" else by
    found = [
        (escape_control_characters(row[by]) if row[by] else "none", *(f"{row[name]:,}" for name in counts))
        for row in rows
    ]
    widths = [max(map(cell_len, column)) for column in zip((head, *counts), *found, strict=True)]
    widths[0] = min(widths[0], _NARROWEST_PATH)
    while len(widths) > 2 and sum(widths) + _GAP * (len(widths) - 1) > _room():
        widths.pop()
    table = _table([head, *counts][: len(widths)], right=counts, fold=head)
    for cells in found:
        table.add_row(*map(Text, cells[: len(widths)]))
    _print(table, least=_NARROWEST_GROUP + sum(widths[1:]) + _GAP * len(widths[1:]))


def follow(rows: Iterable[Row]) -> None:
    """Prints a line for each row of the view `results` when it comes; a terminal folds those that are too long."""
    sys.stdout.write(_line({name: name for name in _ORDER}))
    for row in rows:
        sys.stdout.write(_line(_cells(row)))


def _line(cells: Mapping[str, str]) -> str:
    return f"{cells['id']:>7}  {cells[_WHEN]:16}  {cells['label']:12}  {cells[_P_FOOD]:>7}  {cells['path']}\n"


def _cells(row: Row) -> dict[str, str]:
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


def _label(row: Row) -> str:
    """The label, marked if a person gave it, or why there is none; and the state where it is not that of most photos."""
    label = row["label"] or row["error_kind"] or ""
    mark = "*" if row["corrected_label"] else ""
    state = "" if row["state"] in {FILED, FAILED} else f", {row['state']}"
    return f"{label}{mark}{state}"


def _style(label: str) -> str:
    return _STYLES.get(label.partition(",")[0].removesuffix("*"), "red")


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _fitting(widths: Mapping[str, int], room: int) -> list[str]:
    """The columns to show, in order."""

    def needs(names: Iterable[str], path: int) -> int:
        return sum(widths[name] + _GAP for name in names if name != "path") + path

    names = [name for name in _ORDER if name not in _WITH_ROOM]
    for name in _DISPENSABLE:
        if needs(names, min(widths["path"], _NARROWEST_PATH)) > room:
            names.remove(name)
    for name in _WITH_ROOM:
        if needs([*names, name], widths["path"]) <= room:
            names.append(name)
    return [name for name in _ORDER if name in names]


def _room() -> int:
    # Not rich's own guess, which is 80 for a pipe, too: there each row stays one line.
    return shutil.get_terminal_size((_UNBOUNDED, 0)).columns


def _table(names: Sequence[str], right: Sequence[str], fold: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for name in names:
        justify: Any = "right" if name in right else "left"
        table.add_column(name, justify=justify, no_wrap=name != fold, overflow="fold")
    return table


def _print(table: "Table", least: int = 0) -> None:
    from rich.console import Console

    Console(width=max(_room(), least)).print(table)
