"""docs/database.md: every query has its documented result on the example, in databases of each kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.photo import State
from tests.programs import document, example
from tests.programs.document import PROJECT, QUERIES, Query, cell, execute, run

README = PROJECT / "README.md"
QUERY_BLOCKS = document.queries()
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """The example in a database of each kind."""
    example.fill(address)
    engine = sa.create_engine(address)
    yield engine
    engine.dispose()


def of(kind: str) -> list[Any]:
    return [
        pytest.param(query, id=f"{query.heading} {query.dialect}") for query in QUERY_BLOCKS if query.language == kind
    ]


def test_the_document_has_twenty_queries_with_answers() -> None:
    assert len({query.heading for query in QUERY_BLOCKS if query.answer}) >= 20
    assert all(query.answer for query in QUERY_BLOCKS if query.heading not in {"Opening it"})


@pytest.mark.parametrize("query", of("sql"))
def test_sql_has_the_documented_results(query: Query, engine: sa.Engine) -> None:
    if query.dialect not in {"", engine.dialect.name}:
        pytest.skip(f"it is for {query.dialect}")
    assert execute(engine, query.code) == query.answer


@pytest.mark.parametrize("query", of("python"))
def test_python_has_the_documented_results(query: Query, engine: sa.Engine) -> None:
    value = run(query.code, engine.url)
    if query.answer:
        assert [list(value.columns), *([cell(one) for one in row] for row in value.to_numpy())] == query.answer
    else:
        assert list(value["results"].columns) == [column.name for column in schema.results.c]


@pytest.mark.parametrize("path", [README, QUERIES], ids=lambda path: path.name)
def test_queries_on_a_command_line_run(path: Path, engine: sa.Engine) -> None:
    statements = document.command_line_queries(path)
    assert statements
    for statement in statements:
        assert len(execute(engine, statement)) > 1


def test_the_python_of_the_readme_runs(engine: sa.Engine) -> None:
    (query,) = document.queries(README)
    assert len(run(query.code, engine.url)["frame"]) == 18


def test_the_documented_columns_are_in_the_order_of_the_view(engine: sa.Engine) -> None:
    described = document.table(QUERIES, "The view `results`")
    names = [row[0].strip("`") for row in described]
    assert names == [column.name for column in schema.results.c]
    assert names == [column["name"] for column in sa.inspect(engine).get_columns("results")]


def test_columns_have_the_documented_types_and_nulls(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.results)).mappings().all()
    for name, kind, _, _, null in document.table(QUERIES, "The view `results`"):
        values = [row[name.strip("`")] for row in rows]
        assert null != "never" or None not in values, name
        assert null != "it failed" or [row["state"] == "failed" for row in rows] == [one is None for one in values], (
            name
        )
        types = {"integer": int, "real": float, "text": str, "time": str}
        assert {type(value) for value in values if value is not None} == {types[kind]}, name
        assert kind != "time" or all(value is None or TIME.fullmatch(value) for value in values), name


def test_every_state_is_documented() -> None:
    assert [row[0].strip("`") for row in document.table(QUERIES, "States")] == list(get_args(State))


def test_every_query_has_a_documented_cost() -> None:
    documented = [row[0] for row in document.table(QUERIES, "What it costs")]
    headings = list(dict.fromkeys(query.heading for query in QUERY_BLOCKS if query.answer))
    assert documented[: len(headings)] == headings
