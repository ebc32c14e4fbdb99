"""What is saved of a damaged database, and how it comes into its place."""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from daemon import failpoints
from daemon.database import addresses, connections, integrity, replacement
from daemon.database.rows import PhotoRow
from daemon.database.salvage import salvage
from daemon.database.schema import batches, models, photos, reviews
from tests.daemon.database.damage import leaves, overwrite

PHOTOS = 2000
TIME = "2026-11-24T12:00:00.000000Z"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a label by a person for each tenth photo."""
    path = tmp_path_factory.mktemp("sound") / "foodsort.db"
    engine = connections.connect(addresses.database_url(path.parent, ""))
    rows = [
        PhotoRow(
            path=b"food/%d.jpg" % number,
            inbox_path=b"%d.jpg" % number,
            run_id="run",
            identity=f"1:{number}",
            sha256=f"{number:064}",
            size_bytes=number,
            modified_at=TIME,
            claimed_at=TIME,
        )
        for number in range(PHOTOS)
    ]
    with engine.begin() as connection:
        connection.execute(models.insert().values(sha256="m", name="m", card="c" * 10_000, first_used_at=TIME))
        batch = {"started_at": TIME, "photos": PHOTOS, "engine": "scripted", "inference_ms": 1.0}
        connection.execute(batches.insert().values(batch))
        connection.execute(photos.insert(), [row.columns() | {"batch_id": 1, "model_id": 1} for row in rows])
        labels = [{"photo_id": number, "label": "food", "reviewed_at": TIME} for number in range(1, PHOTOS, 10)]
        connection.execute(reviews.insert(), labels)
    engine.dispose()
    return path


@pytest.fixture
def database(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path))


def table(path: Path, name: str) -> dict[int, tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0]: row for row in connection.execute(f"SELECT * FROM {name}")}


@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_all_rows_outside_of_a_damaged_page_are_saved(database: Path, tmp_path: Path, at: float) -> None:
    before = table(database, "photos")
    pages = leaves(database, "photos")
    overwrite(database, pages[int(at * (len(pages) - 1))])
    counts = salvage(database, tmp_path / "new.db")
    after = table(tmp_path / "new.db", "photos")
    assert counts["photos"] == len(after)
    assert PHOTOS * (1 - 2 / len(pages)) < len(after) < PHOTOS
    assert after == {number: before[number] for number in after}
    labels = {number: row for number, row in table(database, "reviews").items() if row[1] in after}
    assert table(tmp_path / "new.db", "reviews") == labels
    assert integrity.find_damage(tmp_path / "new.db") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foodsort.db", "new.db"]


def test_rows_that_others_refer_to_are_replaced(database: Path, tmp_path: Path) -> None:
    for name in ("models", "batches"):
        for page in leaves(database, name):
            overwrite(database, page)
    assert salvage(database, tmp_path / "new.db")["photos"] == PHOTOS
    engine = connections.connect(addresses.database_url(tmp_path, f"sqlite:///{tmp_path}/new.db"))
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        query = "SELECT DISTINCT model, engine FROM results"
        assert connection.execute(query).fetchall() == [("lost", "lost")]


def test_changes_in_the_log_are_saved_too(database: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(database)
    with closing(writer):
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE photos SET camera = 'new' WHERE id = 5")
        writer.commit()
        copy = tmp_path / "copy"
        copy.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{database}{suffix}", copy)
    overwrite(copy / "foodsort.db", leaves(database, "photos")[-1])
    salvage(copy / "foodsort.db", tmp_path / "new.db")
    assert "new" in table(tmp_path / "new.db", "photos")[5]


@pytest.mark.parametrize("data", [b"", b"no database at all" * 1000])
def test_of_a_file_that_is_no_database_nothing_is_saved(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "foodsort.db").write_bytes(data)
    assert set(salvage(tmp_path / "foodsort.db", tmp_path / "new.db").values()) == {0}


def test_a_page_of_nonsense_becomes_no_row(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE photos SET size_bytes = 'much' WHERE id = 3")
        connection.execute("UPDATE photos SET sha256 = x'00' WHERE id = 4")
        connection.commit()
    salvage(database, tmp_path / "new.db")
    assert set(table(database, "photos")) - set(table(tmp_path / "new.db", "photos")) == {3, 4}


def test_recover_of_sqlites_command_adds_rows(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every build of the command has `.recover`, so this one prints what it prints."""
    sound = shutil.copy(database, tmp_path / "sound.db")
    overwrite(database, leaves(database, "photos")[0])
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/sqlite3"
    program.write_text(
        f"#!{sys.executable}\nimport sqlite3, sys\nassert sys.argv[-1] == '.recover'\n"
        f"print('.shell touch {tmp_path}/run')\nprint(*sqlite3.connect({str(sound)!r}).iterdump(), sep='\\n')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    assert salvage(database, tmp_path / "new.db")["photos"] == PHOTOS
    assert not (tmp_path / "run").exists()


class Killed(BaseException):
    """In the place of the kill at a failpoint."""


@pytest.mark.parametrize("point", ["salvaged", "log_aside", ""])
@pytest.mark.parametrize("linkless", [False, True])
def test_killed_at_any_point_the_database_is_replaced_by_the_next_call(
    database: Path, monkeypatch: pytest.MonkeyPatch, point: str, linkless: bool
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise Killed

    def refuse(*paths: object) -> None:
        raise PermissionError(1, "no links here")

    if linkless:
        monkeypatch.setattr(os, "link", refuse)
    overwrite(database, leaves(database, "photos")[3])
    Path(f"{database}-wal").write_bytes(b"a log of the damaged file")
    damaged = database.read_bytes()
    with monkeypatch.context() as killing:
        killing.setattr(failpoints, "failpoint", die)
        if point:
            with pytest.raises(Killed):
                replacement.replace(database)
        else:
            replacement.replace(database)
    aside = replacement.complete(database) if point else next(database.parent.glob("*Z"))
    assert aside is not None
    assert aside.read_bytes() == damaged
    assert Path(f"{aside}-wal").read_bytes() == b"a log of the damaged file"
    assert sorted(path.name for path in database.parent.iterdir()) == ["foodsort.db", aside.name, f"{aside.name}-wal"]
    assert integrity.find_damage(database) is None
    assert len(table(database, "photos")) > PHOTOS * 0.9


def test_a_backup_that_was_restored_meanwhile_is_kept(
    database: Path, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(database, leaves(database, "photos")[3])

    def die(name: str) -> None:
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(failpoints, "failpoint", die)
        with pytest.raises(Killed):
            replacement.replace(database)
    shutil.copy(sound, database.with_name("backup.db"))
    database.with_name("backup.db").rename(database)
    assert replacement.complete(database) is None
    assert database.read_bytes() == sound.read_bytes()
