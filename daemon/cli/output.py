"""Rows as JSON, JSON Lines or CSV, on stdout only."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from daemon.cli.options import OutputFormat
from models.filenames import ESCAPE_ERRORS

Row = Mapping[str, object]


def write(rows: Iterable[Row], columns: Sequence[str], form: Literal["json", "jsonl", "csv"]) -> None:
    """Writes rows to stdout as they come."""
    if form == "json":
        _write_json(rows)
    elif form == "jsonl":
        _write_json_lines(rows)
    else:
        _write_csv(rows, columns)


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
