import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections, root_id
from daemon.database.addresses import DatabaseError
from daemon.database.root_id import Decision, RecordedRoot
from daemon.database.schema import roots

RECORDED = RecordedRoot("a", "/photos")


@pytest.mark.parametrize(
    ("own", "recorded", "inside", "other_exists", "decision"),
    [
        (None, None, True, False, "register"),
        ("b", None, False, False, "register"),
        ("a", RECORDED, False, False, "same"),
        ("a", RECORDED, True, True, "same"),  # a copy of the root with its copy of the database
        ("a", RECORDED, False, True, "refuse"),  # a copy of the root, with the database of the original
        (None, RECORDED, True, False, "adopt"),
        (None, RECORDED, True, True, "refuse"),  # another root's settings name the database in this root
        (None, RECORDED, False, False, "refuse"),
        ("b", RECORDED, True, False, "refuse"),
        ("b", RECORDED, False, False, "refuse"),
    ],
)
def test_which_root_may_use_a_database(
    own: str | None, recorded: RecordedRoot | None, inside: bool, other_exists: bool, decision: Decision
) -> None:
    assert root_id.decide(own, recorded, inside=inside, other_exists=other_exists) == decision


@pytest.fixture
def first(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir()
    return tmp_path / "first"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


def claim(root: Path, address: sa.URL) -> None:
    engine = connections.connect(address)
    try:
        root_id.claim(root, engine)
    finally:
        engine.dispose()


def test_a_second_root_is_refused_whichever_way_it_comes(address: sa.URL, first: Path, second: Path) -> None:
    claim(first, address)
    claim(first, address)
    with pytest.raises(DatabaseError, match=f"belongs to another root, {first}"):
        claim(second, address)
    claim(second, addresses.database_url(second, ""))  # it has a database of its own first, and then this one
    with pytest.raises(DatabaseError, match=f"belongs to another root, {first}"):
        claim(second, address)


def test_a_root_stays_the_same_when_it_is_moved_or_restored_or_reached_by_a_link(
    address: sa.URL, first: Path, tmp_path: Path
) -> None:
    claim(first, address)
    (tmp_path / "link").symlink_to(first)
    claim(tmp_path / "link", address)
    shutil.copytree(first, tmp_path / "backup")
    moved = first.rename(tmp_path / "moved")
    claim(moved, address)
    shutil.rmtree(moved)
    shutil.copytree(tmp_path / "backup", first)
    claim(first, address)
    engine = connections.connect_to_read(address)
    with engine.connect() as connection:
        paths = connection.execute(sa.select(roots.c.path)).scalars().all()
    engine.dispose()
    assert paths == [str(first)]


def test_a_copy_of_a_root_is_refused_as_long_as_the_original_exists(
    address: sa.URL, first: Path, tmp_path: Path
) -> None:
    claim(first, address)
    copy = shutil.copytree(first, tmp_path / "copy")
    with pytest.raises(DatabaseError, match=f"of which {copy} is a copy"):
        claim(copy, address)
    claim(first, address)


def test_a_copy_of_a_root_with_its_own_copy_of_the_database_is_one_of_its_own(first: Path, tmp_path: Path) -> None:
    claim(first, addresses.database_url(first, ""))
    copy = shutil.copytree(first, tmp_path / "copy")
    engine = connections.connect_to_read(addresses.database_url(copy, ""))
    root_id.check(copy, engine)
    engine.dispose()
    claim(copy, addresses.database_url(copy, ""))


def test_a_database_in_a_root_is_the_root_s_when_only_the_id_is_lost(first: Path, second: Path) -> None:
    claim(first, addresses.database_url(first, ""))
    before = root_id.read(first)
    (first / root_id.FILE).unlink()
    claim(first, addresses.database_url(first, ""))
    assert root_id.read(first) == before
    (second / "foodsort.db").symlink_to(first / "foodsort.db")
    with pytest.raises(DatabaseError, match="belongs to another root"):
        claim(second, addresses.database_url(second, ""))


def test_the_id_that_the_message_names_mends_it(first: Path, second: Path) -> None:
    address = addresses.database_url(first, "")
    claim(first, address)
    first.rename(first.with_name("elsewhere"))
    second.rename(first)
    shutil.move(first.with_name("elsewhere") / "foodsort.db", second.with_name("photos.db"))
    shutil.rmtree(first.with_name("elsewhere"))
    outside = sa.URL.create("sqlite", database=str(second.with_name("photos.db")))
    with pytest.raises(DatabaseError, match=f"write [0-9a-f]{{32}} into {first}/foodsort.id") as refusal:
        claim(first, outside)
    (first / "foodsort.id").write_text(str(refusal.value).partition("write ")[2].split()[0])
    claim(first, outside)
