import logging
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models import OWNER
from models.errors import FoodsortError
from models.feature_store import FeatureStore
from models.features import Positions

DIGEST, OTHER = "a1" * 32, "b2" * 32


def photo(number: int) -> str:
    return f"{number:064x}"


def features(number: int) -> dict[int, Positions]:
    random = np.random.default_rng(number)
    return {side: random.normal(0, 1, 385).astype(np.float16) for side in (224, 128)}


def check(found: dict[str, dict[int, Positions]], numbers: set[int]) -> None:
    assert found.keys() == {photo(number) for number in numbers}
    for number in numbers:
        assert found[photo(number)].keys() == {224, 128}
        for side, position in features(number).items():
            np.testing.assert_array_equal(found[photo(number)][side], position)


def test_positions_come_back_in_another_process(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "new/features.sqlite")
    store.save(DIGEST, {photo(number): features(number) for number in range(1200)})
    store.close()
    again = FeatureStore(tmp_path / "new/features.sqlite")
    check(again.load(DIGEST, [photo(number) for number in range(100, 1300)]), set(range(100, 1200)))
    assert again.load(OTHER, [photo(1)]) == {}
    assert again.load(DIGEST, []) == {}


def test_positions_of_another_network_are_others(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features")
    store.save(DIGEST, {photo(1): features(1)})
    store.save(OTHER, {photo(1): features(2)})
    store.save(OTHER, {photo(1): features(3)})
    check(store.load(DIGEST, [photo(1)]), {1})
    np.testing.assert_array_equal(store.load(OTHER, [photo(1)])[photo(1)][128], features(3)[128])


def test_two_processes_write_at_a_time(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from models.feature_store import FeatureStore
from tests.models.test_feature_store import DIGEST, features, photo
store = FeatureStore(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    store.save(DIGEST, {photo(number): features(number)})
"""
    path = tmp_path / "features"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), str(first)]) for first in (0, 60)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    check(FeatureStore(path).load(DIGEST, [photo(number) for number in range(120)]), set(range(120)))


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.save(DIGEST, {photo(number): features(number)}), range(40)))
    check(store.load(DIGEST, map(photo, range(40))), set(range(40)))


@pytest.mark.parametrize("damage", ["no database", "pages", "short"])
def test_a_damaged_file_is_moved_aside_and_made_again(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "features"
    with caplog.at_level(logging.WARNING, OWNER):
        store = FeatureStore(path)
        store.save(DIGEST, {photo(number): features(number) for number in range(50)})
        store.close()
        data = path.read_bytes()
        damaged = {
            "no database": b"a diary, not a database" * 50,
            "pages": data[:4096] + b"\xff" * (len(data) - 4096),
            "short": data[:4096],
        }[damage]
        path.write_bytes(damaged)
        store = FeatureStore(path)
        assert store.load(DIGEST, [photo(1)]) == {}
        store.save(DIGEST, {photo(2): features(2)})
        check(FeatureStore(path).load(DIGEST, [photo(1), photo(2)]), {2})
    assert (tmp_path / "features.damaged").read_bytes() == damaged
    assert "was damaged" in caplog.text


def test_damage_that_another_process_has_mended_is_not_moved_again(tmp_path: Path) -> None:
    path = tmp_path / "features"
    first = FeatureStore(path)
    first.save(DIGEST, {photo(number): features(number) for number in range(50)})
    first.close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40960)
    one, other = FeatureStore(path), FeatureStore(path)
    for store in (one, other):
        store.save(DIGEST, {photo(60): features(60)})
    one.save(DIGEST, {photo(61): features(61)})
    check(other.load(DIGEST, [photo(1), photo(60), photo(61)]), {60, 61})


def test_a_file_that_cannot_be_used_costs_time_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "features").mkdir()
    store = FeatureStore(tmp_path / "features")
    store.save(DIGEST, {photo(1): features(1)})
    assert store.load(DIGEST, [photo(1)]) == {}
    assert "is not used" in caplog.text
    assert (tmp_path / "features").is_dir()


def test_a_database_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "foodsort.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(FoodsortError, match="is another database, not a cache of features; name another file"):
        FeatureStore(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["foodsort.db"]


def test_a_position_that_is_not_finite_is_missing(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features")
    broken = features(1) | {128: np.full(385, np.nan, np.float16)}
    store.save(DIGEST, {photo(1): broken})
    assert store.load(DIGEST, [photo(1)])[photo(1)].keys() == {224}
