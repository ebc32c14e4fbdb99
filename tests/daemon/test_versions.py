"""Databases of every released version are brought up to date; tests/data keeps what each version made from nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from daemon import database, schema
from models import __version__

RELEASED = sorted((Path(__file__).parents[1] / "data").glob("schema-*.sql"))


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_database_of_a_released_version_becomes_what_the_code_uses(released: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "foodsort.db")) as connection:
        connection.executescript(released.read_text())
    engine = database.connect(database.url(tmp_path, ""))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()
    (tmp_path / "new").mkdir()
    database.connect(database.url(tmp_path / "new", "")).dispose()
    upgraded, new = (
        {
            line.strip()
            for line in dump(path / "foodsort.db").splitlines()
            if line.startswith(("CREATE VIEW", "CREATE INDEX"))
        }
        for path in (tmp_path, tmp_path / "new")
    )
    assert upgraded == new


def test_what_this_version_makes_from_nothing_is_kept(tmp_path: Path) -> None:
    database.connect(database.url(tmp_path, "")).dispose()
    kept = RELEASED[0].with_name(f"schema-{__version__}.sql")
    made = dump(tmp_path / "foodsort.db")
    assert sorted(kept.read_text().splitlines()) == sorted(made.splitlines())  # indexes come in any order
