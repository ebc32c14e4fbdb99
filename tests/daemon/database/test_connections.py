import json
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from daemon.database import addresses, connections, schema, snapshot
from daemon.database.addresses import DatabaseError
from models.bundle import Bundle
from tests.daemon.database.structure import describe
from tests.daemon.sample_database import add, make_database
from tests.programs.postgres import Cluster, made


@pytest.fixture
def file(tmp_path: Path) -> sa.URL:
    return addresses.database_url(tmp_path, "")


def test_a_new_database_has_the_schema_of_the_code(address: sa.URL) -> None:
    engine = connections.connect(address)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        columns = [column["name"] for column in sa.inspect(connection).get_columns("results")]
    assert columns == [column.name for column in schema.results.c]
    engine.dispose()


def test_rows_of_the_first_schema_are_kept(address: sa.URL) -> None:
    engine = sa.create_engine(address)
    config = Config()
    config.set_main_option("script_location", str(Path(connections.__file__).parent / "migrations"))
    now = "2026-11-24T12:00:00.000000Z"
    card = Bundle.load().card
    values = json.dumps({"temperature": card.temperature, "thresholds": card.thresholds.model_dump()})
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            f"INSERT INTO models VALUES (1, 's', 'm', '{{}}', '{now}')",
            f"INSERT INTO models VALUES (2, 't', 'n', '{values}', '{now}')",
            f"INSERT INTO batches VALUES (1, '{now}', 2, 'e', 1.0)",
            f"INSERT INTO photos VALUES (1, 'a', 'food/a', 'a', 'a', 'a', 'g', '1:1', 's', 1, '{now}', 'JPEG', 1, 1,"
            f" 2.0, 0.9, 'food', 'filed', NULL, NULL, 1, 1, '{now}', '{now}', '{now}')",
            f"INSERT INTO photos VALUES (2, 'b', 'failed/b', 'b', 'b', 'b', 'g', '1:2', 't', 1, '{now}', NULL, NULL,"
            f" NULL, NULL, NULL, NULL, 'failed', 'corrupt', 'why', 1, 1, '{now}', NULL, '{now}')",
            f"INSERT INTO reviews VALUES (1, 1, 'non_food', '{now}')",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    engine = connections.connect(address)
    with engine.connect() as connection:
        columns = ("name", "label", "state", "attempts", "first_failed_at", "duplicate_of")
        query = sa.select(*(schema.results.c[name] for name in columns)).order_by(schema.results.c.id)
        found = connection.execute(query).all()
        m = schema.models.c
        models = sa.select(m.temperature, m.threshold, m.unsure_low, m.unsure_high).order_by(m.id)
        settings = connection.execute(models).all()
    engine.dispose()
    assert found == [("a", "non_food", "filed", 1, None, None), ("b", None, "failed", 1, now, None)]
    # An empty card has no values.
    assert settings == [(None,) * 4, (card.temperature, *card.thresholds.model_dump().values())]


@contextmanager
def closing_engine(address: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(address)
    yield engine
    engine.dispose()


def test_opening_again_changes_nothing(file: sa.URL) -> None:
    for _ in range(2):
        connections.connect(file).dispose()
    with closing(sqlite3.connect(str(file.database))) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.REVISION,)]


def test_sqlite_syncs_each_commit(file: sa.URL) -> None:
    engine = connections.connect(file)
    with engine.connect() as connection:
        pragmas = [connection.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    engine.dispose()
    assert pragmas == ["wal", 2]  # 2 is FULL


def test_a_database_of_a_newer_version_is_refused_and_unchanged(address: sa.URL, tmp_path: Path) -> None:
    engine = connections.connect(address)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    before = describe(engine)
    engine.dispose()
    with pytest.raises(DatabaseError, match="newer foodsort"):
        connections.connect(address)
    for opened in (connections.connect_to_read, connections.connect_to_write):
        with pytest.raises(DatabaseError, match="newer foodsort \\(schema 9999\\); install that"):
            opened(address)
    with closing_engine(address) as engine:
        assert describe(engine) == before
    if address.get_backend_name() == "sqlite":
        assert [path.name for path in tmp_path.iterdir()] == ["foodsort.db"]


def test_a_file_that_is_not_a_database_is_refused_and_unchanged(file: sa.URL) -> None:
    path = Path(str(file.database))
    path.write_bytes(b"my holiday diary, not a database at all. " * 100)
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="cannot be used"):
        connections.connect(file)
    with pytest.raises(DatabaseError, match=r"is damaged .* start foodsort again"):
        connections.connect_to_read(file)
    assert path.read_bytes() == before


def test_postgresql_syncs_each_commit_against_its_configuration(cluster: Cluster) -> None:
    with made(cluster) as address:
        cluster.ask(f"ALTER DATABASE {address.database} SET synchronous_commit = off")
        engine = connections.connect(address)
        with engine.connect() as connection:
            assert connection.execute(sa.text("SHOW synchronous_commit")).scalar() == "on"
        engine.dispose()


def test_an_address_overrides_the_default_keepalives(
    cluster: Cluster,
) -> None:
    with made(cluster) as address:
        engine = connections.connect(address.update_query_dict({"keepalives_idle": "7"}))
        with engine.connect() as connection:
            values = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        engine.dispose()
    assert (values["keepalives_idle"], values["keepalives_count"], values["connect_timeout"]) == ("7", "3", "5")


def test_a_database_that_cannot_hold_every_name_is_refused(cluster: Cluster) -> None:
    with made(cluster, "LATIN1") as address, pytest.raises(DatabaseError, match="LATIN1; create it again"):
        connections.connect(address)


def test_the_default_driver_of_postgresql_is_psycopg(tmp_path: Path) -> None:
    assert addresses.database_url(tmp_path, "postgresql://me@here/photos").drivername == "postgresql+psycopg"


def test_a_password_is_never_printed(tmp_path: Path) -> None:
    address = addresses.database_url(tmp_path, "postgresql+psycopg://me:secret@127.0.0.1:1/none")
    with pytest.raises(DatabaseError) as caught:
        connections.connect(address)
    assert "secret" not in str(caught.value)


def test_the_latest_review_is_the_label(address: sa.URL, tmp_path: Path) -> None:
    engine = connections.connect(address)
    now = "2026-11-24T12:00:00.000000Z"
    with engine.begin() as connection:
        connection.execute(schema.models.insert().values(id=1, sha256="s", name="m", card="{}", first_used_at=now))
        connection.execute(schema.batches.insert().values(id=1, started_at=now, photos=1, engine="e", inference_ms=1.0))
        place = {"path_bytes": b"food/a", "path": "food/a", "inbox_path": "a", "inbox_path_bytes": b"a", "name": "a"}
        facts = {
            "generation": "g",
            "identity": "1:1",
            "sha256": "s",
            "size_bytes": 1,
            "modified_at": now,
            "state": "filed",
        }
        keys = {"batch_id": 1, "model_id": 1, "claimed_at": now, "probability": 0.9, "predicted_label": "food"}
        connection.execute(schema.photos.insert().values(id=1, **place, **facts, **keys))
        for label in ("food", "non_food"):
            connection.execute(schema.reviews.insert().values(photo_id=1, label=label, reviewed_at=now))
        row = connection.execute(sa.select(schema.results)).mappings().one()
    engine.dispose()
    assert (row["label"], row["predicted_label"], row["corrected_label"]) == ("non_food", "food", "non_food")


def test_twelve_threads_read_at_a_time(address: sa.URL, caplog: pytest.LogCaptureFixture) -> None:
    connections.connect(address).dispose()
    engine, all_there = connections.connect_to_read(address), threading.Barrier(12)

    def ask(number: int) -> int:
        with engine.connect() as connection:
            all_there.wait(30)
            found = connection.execute(sa.select(sa.literal(number))).scalar_one()
            all_there.wait(30)
        return int(found)

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, range(12))) == list(range(12))
    engine.dispose()
    assert caplog.text == ""


def test_a_snapshot_is_read_again_if_a_writer_starts(file: sa.URL) -> None:
    engine = make_database(file)
    add(engine, "a")
    engine.dispose()
    reader = connections.connect_to_read(file)
    seen: list[list[int]] = []

    def ask(connection: sa.Connection) -> list[int]:
        counts = [connection.execute(sa.text("SELECT count(*) FROM photos")).scalar_one()]
        if not seen:
            writer = connections.connect(file)
            for number in range(100):
                add(writer, f"{number}")
            writer.dispose()  # which moves the log into the file
        counts.append(connection.execute(sa.text("SELECT count(*) FROM photos WHERE name >= ''")).scalar_one())
        seen.append(counts)
        return counts

    assert snapshot.read_snapshot(reader, ask) == [101, 101]
    assert len(seen) == 2
    reader.dispose()
