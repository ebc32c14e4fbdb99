from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.actions.undo import UNDO
from daemon.database import addresses, connections, schema
from daemon.database.lookup import Lookup
from daemon.database.timestamps import format_time
from daemon.queries import results
from daemon.queries.arguments import PathArgument
from daemon.queries.filters import Filters
from daemon.queries.results import IndexHints, ResultRow
from daemon.queries.selection import PhotoSelection
from tests.daemon.sample_database import DAY, add, make_database
from tests.programs.postgres import Cluster, made

pytestmark = pytest.mark.slow

RARE: list[dict[str, Any]] = [
    {"label": "unsure"},
    {"since": datetime(2026, 11, 4, tzinfo=UTC)},
    {"until": datetime(2026, 11, 4, tzinfo=UTC)},
    {"label": "food", "since": datetime(2026, 11, 4, tzinfo=UTC)},
    {"states": ("failed",)},
    {"name": "a"},
    {"name": "a*"},
]


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    engine = make_database(address)
    yield engine
    engine.dispose()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = make_database(addresses.database_url(tmp_path, ""))
    yield engine
    engine.dispose()


@pytest.fixture
def on_postgresql(cluster: Cluster) -> Iterator[sa.Engine]:
    """A database with so many similar rows that PostgreSQL uses its indexes for the others."""
    with made(cluster) as address:
        engine = make_database(address)
        add(engine, "a")
        names = [column.name for column in schema.photos.columns if column.name != "id"]
        time = "timestamp '2026-10-01' + number * interval '1 minute'"
        changed = {"name": "'IMG_' || number", "classified_at": f"to_char({time}, 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ')"}
        values = ", ".join(changed.get(name, name) for name in names)
        others = f"SELECT {values} FROM photos, generate_series(1, 20000) number"
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO photos ({', '.join(names)}) {others}")
        add(engine, "b", 5, ("non_food",), state="failed")
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        yield engine
        engine.dispose()


def names(engine: sa.Engine, **filters: Any) -> list[str]:
    return [row["name"] for row in results.rows(engine, Filters(**filters))]


def sqlite_plan(engine: sa.Engine, statement: "sa.sql.Executable") -> str:
    """SQLite's plan for a query; without statistics it is the same for ten million rows."""
    text = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
    with engine.connect() as connection:
        return "\n".join(row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + text.replace("%", "%%")))


def postgresql_plan(engine: sa.Engine, statement: "sa.sql.Executable") -> str:
    """PostgreSQL's plan for a query."""
    with engine.connect() as connection:
        bound = statement.compile(connection)  # type: ignore[attr-defined]
        return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {bound}", dict(bound.params)))


def test_a_row_has_the_columns_of_the_view() -> None:
    assert list(ResultRow.__annotations__) == [column.name for column in schema.results.c]


def test_a_label_is_a_persons_newest_or_else_the_models(engine: sa.Engine) -> None:
    add(engine, "a", corrected=("food", "non_food"))
    add(engine, "b")
    add(engine, "c", predicted_label="non_food")
    add(engine, "d", predicted_label="non_food", corrected=("non_food", "food"))
    add(engine, "e", predicted_label=None)
    assert names(engine, label="food") == ["d", "b"]
    assert names(engine, label="non_food") == ["c", "a"]
    assert names(engine, label="food", limit=1) == ["d"]
    assert names(engine, label="unsure") == []


def test_with_a_time_filter_rows_are_ordered_by_time(engine: sa.Engine) -> None:
    for name, day in (("a", 5), ("b", 3), ("c", 4), ("d", 4)):
        add(engine, name, day)
    add(engine, "e", classified_at=None)
    assert names(engine) == ["e", "d", "c", "b", "a"]
    assert names(engine, since=datetime(2026, 11, 4, tzinfo=UTC)) == ["a", "d", "c"]
    assert names(engine, until=datetime(2026, 11, 5, tzinfo=UTC), limit=2) == ["d", "c"]
    assert names(engine, label="food", since=datetime(2026, 11, 1, tzinfo=UTC)) == ["a", "d", "c", "b"]


@pytest.mark.parametrize("few", [0, 100_000])
def test_a_prefix_matches_exactly_with_the_index_and_without(
    engine: sa.Engine, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FEW", few)
    for name in (
        "IMG",
        "IMG_1",
        "IMG%1",
        "IMH",
        "img_1",
        "IM",
        "x\ud7ffy",
        "x\U0010ffffz",
        "x\ue000",
        "\U0010ffff!",
        "a\\x0a",
    ):
        add(engine, name)
    assert names(engine, name="IMG*") == ["IMG%1", "IMG_1", "IMG"]
    assert names(engine, name="IMG*", limit=1) == ["IMG%1"]
    assert names(engine, name="IMG_*") == ["IMG_1"]
    assert names(engine, name="IMG%*") == ["IMG%1"]
    assert names(engine, name="a\\*") == ["a\\x0a"]
    assert names(engine, name="x\ud7ff*") == ["x\ud7ffy"]
    assert names(engine, name="x\U0010ffff*") == ["x\U0010ffffz"]
    assert names(engine, name="\U0010ffff*") == ["\U0010ffff!"]
    assert len(names(engine, name="*")) == 11


@pytest.mark.parametrize("filters", RARE)
def test_rare_photos_are_found_by_an_index_without_sorting(on_sqlite: sa.Engine, filters: dict[str, Any]) -> None:
    plan = sqlite_plan(on_sqlite, results.select(Filters(limit=50, **filters), hints=IndexHints(name=True)))
    assert "SCAN p" not in plan
    assert "ORDER BY" not in plan.partition("RIGHT")[0]  # after it are the few photos with a person's label


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        *zip(
            RARE, ("predicted_label", *["classified_at"] * 2, "predicted_label", "state", "name", "name"), strict=True
        ),
        ({"name": "IMG_1*", "limit": 1}, None),
        ({}, None),
    ],
)
def test_postgresql_finds_rare_photos_by_an_index_too(
    on_postgresql: sa.Engine, filters: dict[str, Any], index: str | None
) -> None:
    query = results.select(Filters(**{"limit": 50} | filters), "postgresql")
    with on_postgresql.connect() as connection:
        bound = query.compile(connection)
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {bound}", dict(bound.params)))
    assert f" ix_photos_{index}" in plan if index else "Backward using photos_pkey" in plan
    assert "Seq Scan on photos" not in plan


@pytest.mark.parametrize("filters", [{}, {"name": "IMG*"}])
def test_frequent_photos_are_read_newest_first(on_sqlite: sa.Engine, filters: dict[str, Any]) -> None:
    plan = sqlite_plan(on_sqlite, results.select(Filters(limit=50, **filters)))
    assert plan.startswith("SCAN p\n")
    assert "ORDER BY" not in plan


def test_the_newest_batch_is_the_newest_with_filed_photos(engine: sa.Engine) -> None:
    first = add(engine, "a")
    add(engine, "b", batch_id=2, state="undone")
    selection = PhotoSelection(engine, Path("/"), UNDO.sources)
    assert selection.newest_batch() == (1, "sort")
    assert [photo.id for photo in selection.by_batch(1)] == [first]


def test_no_query_for_a_batch_or_a_time_reads_all_photos(on_sqlite: sa.Engine) -> None:
    engine = on_sqlite
    plans: list[str] = []
    add(engine, "a")

    def record_plan(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        with engine.connect() as other:
            lines = other.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, values)
            plans.extend(line[3] for line in lines)

    selection = PhotoSelection(engine, Path("/"), UNDO.sources)
    sa.event.listen(engine, "before_cursor_execute", record_plan)
    selection.newest_batch()
    selection.by_batch(1)
    selection.filed_since(datetime(2026, 11, 4, tzinfo=UTC))
    Lookup(engine).undone(["1:a"])
    sa.event.remove(engine, "before_cursor_execute", record_plan)
    indexes = [line.split("USING ")[1] for line in plans if line.startswith(("SEARCH photos", "SCAN photos"))]
    by_state = "INDEX ix_photos_state_filed_at (state=? AND filed_at>?)"
    by_batch = "INDEX ix_photos_batch_id (batch_id=?)"
    assert indexes == [by_batch] * 2 + [by_state, "INDEX ix_photos_identity_state (identity=? AND state=?)"]


CERTAIN = sa.select(schema.results).where(schema.results.c.certainty.is_not(None)).order_by("certainty", "id").limit(50)


def test_the_least_certain_are_found_by_an_index(on_sqlite: sa.Engine) -> None:
    plan = sqlite_plan(on_sqlite, CERTAIN)
    assert "USING INDEX ix_photos_certainty" in plan
    assert "SCAN photos" not in plan


def test_postgresql_finds_the_least_certain_by_an_index_too(on_postgresql: sa.Engine) -> None:
    with on_postgresql.connect() as connection:
        bound = CERTAIN.compile(connection)
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {bound}", dict(bound.params)))
    assert "ix_photos_certainty" in plan


def test_rows_come_in_the_order_of_the_filters(engine: sa.Engine) -> None:
    for name, probability in (("b", 0.9), ("B", 0.45), ("ä", 0.2), ("a", None)):
        add(engine, name, probability=probability)
    assert names(engine, sort="newest") == ["a", "ä", "B", "b"]
    assert names(engine, sort="oldest") == ["b", "B", "ä", "a"]
    assert names(engine, sort="name") == ["B", "a", "b", "ä"]
    assert names(engine, sort="certainty") == ["B", "ä", "b"]
    assert names(engine, sort="name", label="food", limit=2) == ["B", "a"]
    assert names(engine, sort="certainty", label="food", states=("filed",), limit=1) == ["B"]
    since = datetime(2026, 11, 1, tzinfo=UTC)
    assert names(engine, sort="oldest", since=since) == ["b", "B", "ä", "a"]


def test_the_least_certain_of_a_frequent_label_are_found_in_that_order(on_sqlite: sa.Engine) -> None:
    filters = Filters(label="food", sort="certainty", limit=50)
    plan = sqlite_plan(on_sqlite, results.select(filters, hints=IndexHints(label=False)))
    assert "USING INDEX ix_photos_certainty" in plan
    assert "ORDER BY" not in plan


@pytest.mark.parametrize(("most", "few"), [(2, True), (1, False)])
def test_the_least_certain_of_a_label_are_the_same_however_many_have_it(
    on_sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch, most: int, few: bool
) -> None:
    monkeypatch.setattr(results, "FEW", most)
    add(on_sqlite, "sure")
    add(on_sqlite, "other", predicted_label="non_food", probability=0.4)
    add(on_sqlite, "corrected", predicted_label="non_food", corrected=("food",), probability=0.3)
    with on_sqlite.connect() as connection:
        assert results.index_hints(connection, Filters(label="food", sort="certainty"), most).label is few
    assert names(on_sqlite, label="food", sort="certainty") == ["corrected", "sure"]


def test_an_escaped_name_and_a_name_with_brackets_match_themselves(engine: sa.Engine) -> None:
    for name in ("a[1].jpg", "a1.jpg", "caf\\xe9.jpg", "esc\\x1b.jpg", "A1.jpg"):
        add(engine, name)
    assert names(engine, name="a[1].jpg") == ["a1.jpg", "a[1].jpg"]
    assert names(engine, name="[ac]*.jpg") == ["caf\\xe9.jpg", "a1.jpg", "a[1].jpg"]
    assert names(engine, name="caf\udce9*") == names(engine, name="caf\\x??.jpg") == ["caf\\xe9.jpg"]
    assert names(engine, name="caf\udce9.jpg") == names(engine, name="caf\\xe9.jpg") == ["caf\\xe9.jpg"]
    assert names(engine, name="*\x1b*") == ["esc\\x1b.jpg"]


@pytest.mark.parametrize(("sort", "index"), [("name", "ix_photos_name"), ("certainty", "ix_photos_certainty")])
def test_each_order_has_an_index(on_sqlite: sa.Engine, sort: Any, index: str) -> None:
    plan = sqlite_plan(on_sqlite, results.select(Filters(limit=50, sort=sort)))
    assert f"USING INDEX {index}" in plan
    assert "ORDER BY" not in plan


@pytest.mark.parametrize(("sort", "index"), [("name", "ix_photos_name"), ("certainty", "ix_photos_certainty")])
def test_postgresql_has_an_index_for_each_order_too(on_postgresql: sa.Engine, sort: Any, index: str) -> None:
    assert index in postgresql_plan(on_postgresql, results.select(Filters(limit=50, sort=sort), "postgresql"))


def test_a_pattern_of_few_names_uses_the_index(on_sqlite: sa.Engine) -> None:
    filters = Filters(limit=50, name="a[bc]*.jpg")
    plan = sqlite_plan(on_sqlite, results.select(filters, hints=IndexHints(name=True)))
    assert "SEARCH photos USING COVERING INDEX ix_photos_name" in plan
    assert "SCAN p" not in plan


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_path_is_found_by_an_index_on_names(dialect: str, request: pytest.FixtureRequest) -> None:
    engine: sa.Engine = request.getfixturevalue(f"on_{dialect}")
    plans: list[str] = []

    def record_plan(connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
        lines = connection.connection.cursor().execute(explain + statement, values)
        plans.append("\n".join(str(line[-1]) for line in lines))

    add(engine, "c", path="food/c", path_bytes=b"food/c")
    sa.event.listen(engine, "before_cursor_execute", record_plan)
    assert len(PhotoSelection(engine, Path("/"), UNDO.sources).by_path(PathArgument("food/c"))) == 1
    sa.event.remove(engine, "before_cursor_execute", record_plan)
    assert len(plans) == 1
    assert "ix_photos_name" in plans[0]
    assert "ix_photos_state" not in plans[0]


def test_times_before_the_year_1000_are_in_order_too() -> None:
    assert format_time(datetime(500, 1, 2, tzinfo=UTC)) == "0500-01-02T00:00:00.000000Z"


@pytest.mark.parametrize("sort", ["newest", "oldest", "certainty", "name"])
@pytest.mark.parametrize(
    "filters", [{}, {"since": datetime(2026, 11, 2, tzinfo=UTC)}, {"label": "food"}, {"name": "I*"}]
)
def test_pages_have_the_rows_of_one_query(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, sort: Any, filters: dict[str, Any]
) -> None:
    for number in range(20):  # with equal values in each column of the orders
        corrected = ("non_food", "food") if number % 5 == 0 else ()
        add(engine, f"{'iI_'[number % 3]}MG", number // 6 + 1, corrected, probability=(number % 4) / 4)
    ordered = Filters(sort=sort, **filters)
    with engine.connect() as connection:
        expected = [dict(row) for row in connection.execute(results.select(ordered, engine.dialect.name)).mappings()]
    assert len(expected) > 5
    for page in (1, 2, 3, len(expected)):
        monkeypatch.setattr(results, "_PAGE", page)
        assert list(results.rows(engine, ordered)) == expected
        assert list(results.rows(engine, replace(ordered, limit=5))) == expected[:5]


@pytest.mark.parametrize("sort", ["newest", "oldest", "certainty", "name"])
def test_a_reversed_order_goes_back_from_a_row(engine: sa.Engine, sort: Any) -> None:
    for number in range(9):
        add(engine, "aäB"[number % 3], number // 4 + 1, probability=(number % 4) / 4)
    filters = Filters(sort=sort, since=datetime(2026, 11, 1, tzinfo=UTC))
    rows = list(results.rows(engine, filters))
    query = results.select(filters, engine.dialect.name, order=filters.order.reversed(), after=rows[6])
    with engine.connect() as connection:
        assert [row.id for row in connection.execute(query)] == [row["id"] for row in rows[5::-1]]


@pytest.mark.parametrize("sort", ["newest", "certainty", "name"])
def test_a_slow_consumer_holds_no_transaction(
    on_sqlite: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: Any
) -> None:
    monkeypatch.setattr(results, "_PAGE", 2)
    for name in "abcde":
        add(on_sqlite, name)
    reader = connections.connect_to_read(addresses.database_url(tmp_path, ""))
    rows = results.rows(reader, Filters(sort=sort))
    next(rows)
    add(on_sqlite, "f")
    with on_sqlite.connect() as connection:  # empties the log if there is no reader
        assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0] == 0
    assert len({row["id"] for row in rows}) >= 4


def test_a_later_page_begins_in_the_index(on_sqlite: sa.Engine, on_postgresql: sa.Engine) -> None:
    since = datetime(2026, 10, 1, tzinfo=UTC)
    last = {"id": 9, "name": "a", "classified_at": DAY % 1, "certainty": 0.7}
    for filters, index in (
        (Filters(limit=50), "pkey"),
        (Filters(limit=50, since=since), "classified_at"),
        (Filters(limit=50, sort="name"), "name"),
        (Filters(limit=50, sort="certainty"), "certainty"),
    ):
        plan = sqlite_plan(on_sqlite, results.select(filters, after=last))
        assert (
            "SEARCH p USING INTEGER PRIMARY KEY" if index == "pkey" else f"SEARCH p USING INDEX ix_photos_{index}"
        ) in plan
        assert "ORDER BY" not in plan.partition("RIGHT")[0]
        assert index in postgresql_plan(on_postgresql, results.select(filters, "postgresql", after=last))
