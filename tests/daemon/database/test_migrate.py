"""Databases of every released version are brought up to date; tests/data keeps what each version made from nothing."""

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
from tests.daemon.database.structure import described
from tests.daemon.photos import sort_photo
from tests.programs.postgres import Cluster, made

RELEASED = sorted((Path(__file__).parents[2] / "data").glob("schema-*.sql"))
OLDER = [path for path in RELEASED if f"VALUES('{schema.REVISION}')" not in path.read_text()]
TOLD = "INSERT INTO events (at, kind, message) VALUES ('2026-11-24T12:00:00.000000Z', 'told', '{}')"
BEFORE = f"foodsort.db.before-{__version__}"


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def made_by(released: Path, folder: Path, *more: str) -> Path:
    """A database that an older version made and wrote a row to. more: what else was done to it."""
    path = folder / "foodsort.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(released.read_text())
        for statement in (TOLD.format("something"), *more):
            connection.execute(statement)
        connection.commit()
    return path


def old(address: sa.URL, revision: str, *more: str) -> None:
    """Makes the tables of an older schema in an empty database of any kind. more: what else is done to it."""
    engine = sa.create_engine(address)
    config = Config()
    config.set_main_option("script_location", str(Path(connections.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in (TOLD.format("something"), *more):
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_database_of_a_released_version_becomes_what_the_code_uses(released: Path, tmp_path: Path) -> None:
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
            if line.startswith(("CREATE VIEW", "CREATE INDEX"))
        }
        for path in (tmp_path, tmp_path / "new")
    )
    assert upgraded == new


@pytest.mark.parametrize(
    "revision", sorted({re.findall(r"VALUES\('(\d{4})'\)", path.read_text())[0] for path in OLDER})
)
def test_a_server_s_database_of_a_released_version_becomes_what_the_code_uses(
    cluster: Cluster, revision: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with made(cluster) as address, made(cluster) as fresh:
        old(address, revision)
        engine, new = connections.connect(address), connections.connect(fresh)
        assert "migrating the database without a copy; it is on a server" in "".join(capfd.readouterr())
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert described(engine) == described(new)
        engine.dispose()
        new.dispose()


def test_what_this_version_makes_from_nothing_is_kept(tmp_path: Path) -> None:
    connections.connect(addresses.database_url(tmp_path, "")).dispose()
    kept = RELEASED[0].with_name(f"schema-{__version__}.sql")
    made = dump(tmp_path / "foodsort.db")
    assert sorted(kept.read_text().splitlines()) == sorted(made.splitlines())  # indexes come in any order
    assert [path.name for path in tmp_path.iterdir()] == ["foodsort.db"]


@pytest.mark.parametrize("released", OLDER, ids=lambda path: path.stem)
def test_before_a_database_is_migrated_it_is_copied_with_what_is_in_its_log(released: Path, tmp_path: Path) -> None:
    path = made_by(released, tmp_path)
    path.chmod(0o640)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with writer:
            writer.execute(TOLD.format("in the log"))
        before = dump(path)
        connections.connect(addresses.database_url(tmp_path, "")).dispose()
    copy = tmp_path / BEFORE
    assert dump(copy) == before
    assert "in the log" in before
    assert copy.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {entry.name for entry in tmp_path.iterdir()} == {"foodsort.db", BEFORE}


def test_a_copy_is_never_made_over_another_and_never_twice(tmp_path: Path) -> None:
    path = made_by(OLDER[0], tmp_path)
    (tmp_path / BEFORE).write_bytes(b"another one")
    (tmp_path / f"{BEFORE}.part").write_bytes(b"of a start that died")
    assert [migrate.back_up(path).name for _ in range(2)] == [f"{BEFORE} (2)"] * 2
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(TOLD.format("another thing"))
    third = migrate.back_up(path)
    assert third.name == f"{BEFORE} (3)"
    assert (tmp_path / BEFORE).read_bytes() == b"another one"
    assert not filecmp.cmp(third, tmp_path / f"{BEFORE} (2)", shallow=False)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_migration_that_fails_on_the_way_has_changed_nothing(address: sa.URL) -> None:
    old(address, "0001", "CREATE INDEX ix_photos_state_filed_at ON photos (state)")  # one that a later step makes, too
    engine = sa.create_engine(address)
    before = described(engine)
    for _ in range(2):
        with pytest.raises(DatabaseError, match=r"ix_photos_state_filed_at.* already exists"):
            connections.connect(address)
        assert described(engine) == before
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_photos_state_filed_at"))
    engine.dispose()
    connections.connect(address).dispose()


@pytest.mark.system
def test_a_disk_without_room_for_the_copy_is_waited_for(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(root / "disk", "size=700k") as disk:
        monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{disk}/foodsort.db")
        path = made_by(OLDER[0], disk, TOLD.format("x" * 400_000))
        before = dump(path)
        with started(root) as daemon:
            until(lambda: "cannot be copied" in ((status(root)["waiting_for"] or {}).get("what") or ""), daemon)
            assert dump(path) == before
            assert not [entry for entry in disk.iterdir() if "before" in entry.name]
            subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
            sort_photo(root, photo(), "a.jpg", daemon)
        assert dump(disk / BEFORE) == before


@pytest.mark.system
def test_once_without_room_for_the_copy_says_so(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=700k") as disk:
        path = made_by(OLDER[0], disk, TOLD.format("x" * 400_000))
        before = dump(path)
        with pytest.raises(DatabaseError, match=r"cannot be copied before its migration: .*(full|I/O)"):
            connections.connect(addresses.database_url(disk, ""))
        assert dump(path) == before
        assert [entry.name for entry in disk.iterdir()] == ["foodsort.db"]
