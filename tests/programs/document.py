"""What a document asks of a results database, the answers that it shows, and those that come."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

PROJECT = Path(__file__).parents[2]
QUERIES = PROJECT / "docs/database.md"
DATABASE = "sqlite:///file:photos/foodsort.db?mode=ro&uri=true"
"""The database as the document's Python names it."""

_DIALECTS = {"-- SQLite": "sqlite", "-- PostgreSQL": "postgresql"}


class Query(NamedTuple):
    """A question: its heading, language (`sql` or `python`), database (empty: any), code, and answer with its header."""

    heading: str
    language: str
    dialect: str
    code: str
    answer: list[list[str]]


def queries(path: Path = QUERIES) -> list[Query]:
    """The questions of a document, in order. Those that differ by the kind of database share the answer below them."""
    questions = []
    for section in re.split(r"^(?=#+ )", path.read_text(), flags=re.MULTILINE):
        heading = section.partition("\n")[0].lstrip("# ")
        for language, code in re.findall(r"^```(sql|python)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            dialect = _DIALECTS.get(code.partition("\n")[0], "")
            questions.append(Query(heading, language, dialect, code, list(_table(section.rpartition("```")[2]))))
    return questions


def answered(engine: sa.Engine, sql: str) -> list[list[str]]:
    """Asks; returns the lines of the answer, the names of its columns first."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(sql))
        return [list(found.keys()), *([cell(value) for value in row] for row in found)]


def run(code: str, address: sa.URL) -> Any:
    """Runs Python as it stands there, but for the database's place; returns the value of its last line, else its names."""
    there = address.render_as_string(hide_password=False)
    if address.get_backend_name() == "sqlite":
        there = DATABASE.replace("photos/foodsort.db", str(address.database))
    *before, last = ast.parse(code.replace(DATABASE, there)).body
    names: dict[str, Any] = {}
    exec(compile(ast.Module(before, []), "database.md", "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "database.md", "eval"), names)
    exec(compile(ast.Module([last], []), "database.md", "exec"), names)
    return names


def cell(value: Any) -> str:
    """A value as a document writes it: numbers without needless digits, nothing for NULL."""
    if value is None:
        return ""
    with suppress(ValueError, TypeError):
        return f"{float(value):.10g}"
    return str(value)


def told(path: Path) -> list[str]:
    """The statements that a document hands to sqlite3 or psql on a command line."""
    return re.findall(r'^(?:sqlite3|psql) .*?"(SELECT .*?)"', path.read_text(), re.MULTILINE)


def table(path: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", path.read_text(), flags=re.MULTILINE)[1]
    return list(_table(re.split(r"^#", section, flags=re.MULTILINE)[0]))[1:]


def _table(text: str) -> Iterator[list[str]]:
    lines = (re.split(r"(?<!\\)\|", line[1:-1]) for line in re.findall(r"^\|.*\|$", text, re.MULTILINE))
    for cells in lines:
        if not all(re.fullmatch(r" ?-+:? ?", cell) for cell in cells):
            yield [cell.strip() for cell in cells]
