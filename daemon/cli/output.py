"""Rows as JSON, JSON Lines or CSV, on stdout only."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from daemon.cli.options import OutputFormat
from models.filenames import ESCAPE_ERRORS

Row = Mapping[str, object]

# A spreadsheet runs a cell that begins so as a formula, also one that came from a file's name or its EXIF data. A number
# or a UTC offset is none.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?!\d[\d:.]*\Z)")


def write(
    rows: Iterable[Row], columns: Sequence[str], form: Literal["json", "jsonl", "csv"], *, raw: bool = False
) -> None:
    """Writes rows to stdout as they come.

    Args:
        rows: The rows.
        columns: Names of the columns, for the header.
        form: The format.
        raw: Write texts to CSV as they are, also those that a spreadsheet would run as a formula.
    """
    if form == "json":
        _write_json(rows)
    elif form == "jsonl":
        _write_json_lines(rows)
    else:
        _write_csv(rows if raw else map(_without_formulas, rows), columns)


def json_line(row: Row) -> bytes:
    """Returns a row as a line of JSON in UTF-8."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", ESCAPE_ERRORS) + b"\n"


def prepare(form: OutputFormat, *, live: bool) -> None:
    """Sets up stdout: JSON and CSV in UTF-8; `live` flushes each line, for rows that come one by one."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # UTF-8 in spite of the terminal's encoding; a table escapes characters that the terminal cannot show.
        sys.stdout.reconfigure(encoding=None if form == "table" else "utf-8", line_buffering=live or None)
        sys.stdout.reconfigure(errors=ESCAPE_ERRORS)  # a new encoding has reset it to strict


def _write_json(rows: Iterable[Row]) -> None:
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n  {json.dumps(row, ensure_ascii=False)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _write_json_lines(rows: Iterable[Row]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, columns)
    writer.writeheader()
    writer.writerows(rows)


def _without_formulas(row: Row) -> Row:
    """Puts an apostrophe before each text that a spreadsheet would run as a formula."""
    return {name: f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for name, cell in row.items()}
