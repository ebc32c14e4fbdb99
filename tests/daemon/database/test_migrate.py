"""Databases of every released version are migrated; tests/data has the schema of each version."""

import filecmp
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from daemon.database import addresses, connections, migrate, schema
from daemon.database.addresses import DatabaseError
from models import __version__
from tests.daemon.conftest import Photo, mounted, started, status, until
from tests.daemon.database.structure import describe
from tests.daemon.photos import sort_photo
from tests.programs.postgres import Cluster, made

RELEASED = sorted((Path(__file__).parents[2] / "data").glob("schema-*.sql"))
OLDER = [path for path in RELEASED if f"VALUES('{schema.REVISION}')" not in path.read_text()]
INSERT_EVENT = "INSERT INTO events (at, kind, message) VALUES ('2026-11-24T12:00:00.000000Z', 'test', '{}')"
BEFORE = f"foodsort.db.before-{__version__}"


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def made_by(released: Path, folder: Path, *more: str) -> Path:
    """A database of an older version with one event; `more` are further statements."""
    path = folder / "foodsort.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(released.read_text())
        for statement in (INSERT_EVENT.format("something"), *more):
            connection.execute(statement)
        connection.commit()
    return path


def old(address: sa.URL, revision: str, *more: str) -> None:
    """Creates the tables of an older schema in an empty database of any kind; `more` are further statements."""
    engine = sa.create_engine(address)
    config = Config()
    config.set_main_option("script_location", str(Path(connections.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in (INSERT_EVENT.format("something"), *more):
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_sqlite_databases_of_released_versions_are_migrated(released: Path, tmp_path: Path) -> None:
    made_by(released, tmp_path)
    engine = connections.connect(addresses.database_url(tmp_path, ""))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()
    (tmp_path / "new").mkdir()
    connections.connect(addresses.database_url(tmp_path / "new", "")).dispose()
    upgraded, new = (
        {
            line.strip()
            for line in dump(path / "foodsort.db").splitlines()
            if line.startswith(("CREATE VIEW", "CREATE INDEX", "CREATE TRIGGER"))
        }
        for path in (tmp_path, tmp_path / "new")
    )
    assert upgraded == new


@pytest.mark.parametrize(
    "revision", sorted({re.findall(r"VALUES\('(\d{4})'\)", path.read_text())[0] for path in OLDER})
)
def test_postgresql_databases_of_released_versions_are_migrated(
    cluster: Cluster, revision: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with made(cluster) as address, made(cluster) as fresh:
        old(address, revision)
        engine, new = connections.connect(address), connections.connect(fresh)
        assert "migrating the database without a copy; it is on a server" in "".join(capfd.readouterr())
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert describe(engine) == describe(new)
        engine.dispose()
        new.dispose()


def test_the_schema_of_this_version_is_stored(tmp_path: Path) -> None:
    connections.connect(addresses.database_url(tmp_path, "")).dispose()
    unreleased = RELEASED[0].with_name("schema-unreleased.sql")  # of the commits between two versions
    kept = unreleased if unreleased.exists() else unreleased.with_name(f"schema-{__version__}.sql")
    made = dump(tmp_path / "foodsort.db")
    assert sorted(kept.read_text().splitlines()) == sorted(made.splitlines())  # indexes come in any order
    assert [path.name for path in tmp_path.iterdir()] == ["foodsort.db"]


@pytest.mark.parametrize("released", OLDER, ids=lambda path: path.stem)
def test_the_copy_before_a_migration_includes_the_log(released: Path, tmp_path: Path) -> None:
    path = made_by(released, tmp_path)
    path.chmod(0o640)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with writer:
            writer.execute(INSERT_EVENT.format("in the log"))
        before = dump(path)
        connections.connect(addresses.database_url(tmp_path, "")).dispose()
    copy = tmp_path / BEFORE
    assert dump(copy) == before
    assert "in the log" in before
    assert copy.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {entry.name for entry in tmp_path.iterdir()} == {"foodsort.db", BEFORE}


def test_a_copy_overwrites_no_file_and_is_made_once(tmp_path: Path) -> None:
    path = made_by(OLDER[0], tmp_path)
    (tmp_path / BEFORE).write_bytes(b"another one")
    (tmp_path / f"{BEFORE}.part").write_bytes(b"of a start that died")
    assert [migrate.back_up(path).name for _ in range(2)] == [f"{BEFORE} (2)"] * 2
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(INSERT_EVENT.format("another thing"))
    third = migrate.back_up(path)
    assert third.name == f"{BEFORE} (3)"
    assert (tmp_path / BEFORE).read_bytes() == b"another one"
    assert not filecmp.cmp(third, tmp_path / f"{BEFORE} (2)", shallow=False)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_failed_migration_changes_nothing(address: sa.URL) -> None:
    old(address, "0001", "CREATE INDEX ix_photos_state_filed_at ON photos (state)")  # one that a later step makes, too
    engine = sa.create_engine(address)
    before = describe(engine)
    for _ in range(2):
        with pytest.raises(DatabaseError, match=r"ix_photos_state_filed_at.* already exists"):
            connections.connect(address)
        assert describe(engine) == before
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_photos_state_filed_at"))
    engine.dispose()
    connections.connect(address).dispose()


def test_older_photos_are_changes_in_the_order_in_which_they_were_filed(address: sa.URL) -> None:
    rows = [(1, "filed", "'2026-11-03'"), (2, "filed", "'2026-11-02'"), (3, "filing", "NULL"), (4, "missing", "NULL")]
    columns = "name, path, path_bytes, inbox_path, inbox_path_bytes, generation, identity, sha256, size_bytes"
    values = "'a', 'a', '', 'a', '', '', '', '', 1, '', 1, 1, '2026-11-01'"
    old(
        address,
        "0007",
        "INSERT INTO models VALUES (1, '', '', '{}', '', 1, 1, 1, 1)",
        "INSERT INTO batches VALUES (1, '', 1, '', 1)",
        *(
            f"INSERT INTO photos (id, state, filed_at, {columns}, modified_at, batch_id, model_id, claimed_at)"
            f" VALUES ({photo}, '{state}', {filed}, {values})"
            for photo, state, filed in rows
        ),
    )
    engine = connections.connect(address)
    with engine.connect() as connection:
        query = sa.select(schema.changes.c.photo_id).order_by(schema.changes.c.id)
        assert list(connection.execute(query).scalars()) == [4, 2, 1]
    engine.dispose()


@pytest.mark.system
def test_the_daemon_waits_for_room_for_the_copy(root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted(root / "disk", "size=700k") as disk:
        monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{disk}/foodsort.db")
        path = made_by(OLDER[0], disk, INSERT_EVENT.format("x" * 400_000))
        before = dump(path)
        with started(root) as daemon:
            until(lambda: "cannot be copied" in ((status(root)["waiting_for"] or {}).get("what") or ""), daemon)
            assert dump(path) == before
            assert not [entry for entry in disk.iterdir() if "before" in entry.name]
            subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
            sort_photo(root, photo(), "a.jpg", daemon)
        assert dump(disk / BEFORE) == before


@pytest.mark.system
def test_once_ends_without_room_for_the_copy(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=700k") as disk:
        path = made_by(OLDER[0], disk, INSERT_EVENT.format("x" * 400_000))
        before = dump(path)
        with pytest.raises(DatabaseError, match=r"cannot be copied before its migration: .*(full|I/O)"):
            connections.connect(addresses.database_url(disk, ""))
        assert dump(path) == before
        assert [entry.name for entry in disk.iterdir()] == ["foodsort.db"]
