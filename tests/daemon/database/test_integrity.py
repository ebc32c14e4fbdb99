import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.database import addresses, connections, integrity


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound database of some pages."""
    connections.connect(addresses.database_url(tmp_path, "")).dispose()
    return tmp_path / "foodsort.db"


def test_damage_that_a_second_check_does_not_find_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks: Iterator[str | None] = iter(["database disk image is malformed", None])
    monkeypatch.setattr(integrity, "quick_check", lambda path: next(checks))
    assert integrity.find_damage(path) is None
    assert list(checks) == []


@pytest.mark.parametrize("place", ["header", "page", "end"])
def test_damage_is_found(path: Path, place: str) -> None:
    whole = path.read_bytes()
    damaged = {
        "header": b"my diary" + whole[8:],
        "page": whole[:8192] + b"\xa5" * 4096 + whole[12288:],
        "end": whole[: len(whole) // 2],
    }[place]
    path.write_bytes(damaged)
    assert integrity.find_damage(path)
    assert path.read_bytes() == damaged


@pytest.mark.system
def test_no_read_error_of_the_disk_is_taken_for_damage(path: Path, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("cc is missing")
    library = tmp_path / "read_errors.so"
    source = Path(__file__).parents[2] / "programs/read_errors.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.programs.read_errors", path],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    by_one_check, by_find_damage = map(int, done.stdout.split())
    assert by_one_check > 0  # SQLite calls some of them damage, else there is nothing to look at twice
    assert by_find_damage == 0
    assert integrity.find_damage(path) is None
