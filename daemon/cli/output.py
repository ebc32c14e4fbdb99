"""Answers as JSON or CSV, on stdout alone."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from models.filenames import ESCAPE_ERRORS

OutputFormat = Literal["table", "json", "jsonl", "csv"]

Row = dict[str, Any]


def write(rows: Iterable[Row], columns: Sequence[str], form: Literal["json", "jsonl", "csv"]) -> None:
    """Writes rows to stdout as they come."""
    {"json": _json, "jsonl": _jsonl, "csv": _csv}[form](rows, columns)


def prepare(form: OutputFormat, *, live: bool) -> None:
    """Has JSON and CSV be UTF-8, and each line at once where rows come one by one."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whatever the terminal's language is; a table shows what that can't write in another way.
        sys.stdout.reconfigure(encoding=None if form == "table" else "utf-8", line_buffering=live or None)
        sys.stdout.reconfigure(errors=ESCAPE_ERRORS)  # another encoding has made it strict


def _json(rows: Iterable[Row], _columns: Sequence[str]) -> None:
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n  {json.dumps(row, ensure_ascii=False)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _jsonl(rows: Iterable[Row], _columns: Sequence[str]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, columns)
    writer.writeheader()
    writer.writerows(rows)
