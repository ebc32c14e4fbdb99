"""The queries of a document, their documented results, and their real ones."""

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
"""The address of the database in the document's Python."""

_DIALECTS = {"-- SQLite": "sqlite", "-- PostgreSQL": "postgresql"}


class Query(NamedTuple):
    """A query: its heading, language (`sql` or `python`), database (empty: any), code, and result with its header."""

    heading: str
    language: str
    dialect: str
    code: str
    answer: list[list[str]]


def queries(path: Path = QUERIES) -> list[Query]:
    """The queries of a document, in order. The variants for each kind of database share the result below them."""
    found = []
    for section in re.split(r"^(?=#+ )", path.read_text(), flags=re.MULTILINE):
        heading = section.partition("\n")[0].lstrip("# ")
        for language, code in re.findall(r"^```(sql|python)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            dialect = _DIALECTS.get(code.partition("\n")[0], "")
            found.append(Query(heading, language, dialect, code, list(_table(section.rpartition("```")[2]))))
    return found


def execute(engine: sa.Engine, sql: str) -> list[list[str]]:
    """Runs a query; returns the names of the columns, then the rows."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(sql))
        return [list(found.keys()), *([cell(value) for value in row] for row in found)]


def run(code: str, address: sa.URL) -> Any:
    """Runs the document's Python on another database; returns the value of its last line, or else its names."""
    url = address.render_as_string(hide_password=False)
    if address.get_backend_name() == "sqlite":
        url = DATABASE.replace("photos/foodsort.db", str(address.database))
    *before, last = ast.parse(code.replace(DATABASE, url)).body
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


def command_line_queries(path: Path) -> list[str]:
    """The queries of a document in commands of sqlite3 and psql."""
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
