"""Imports of the commands: the libraries determine the start time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo

pytestmark = pytest.mark.slow

NETWORKS = {"keras", "openvino", "tensorflow"}
PICTURES = {"PIL", "imagecodecs", "pillow_heif", "pillow_jxl", "rawpy", "tifffile"}
DATABASES = {"alembic", "psycopg", "sqlalchemy"}
TRAINING = {"h5py", "matplotlib", "pandas", "scipy", "sklearn"}
NUMBERS = {"numpy"}

CODE = """
import json, sys
from daemon.cli import app
try:
    app()
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name, module in sys.modules.items() if module})))
"""


def imported(*words: str | Path, **environment: str) -> set[str]:
    """The packages that a process has imported at the end of a command."""
    command = [sys.executable, "-c", CODE, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--once", "--root", root)[0] == 0
    return root


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("run", "--help"), ("evaluate", "--help")])
def test_help_imports_none_of_the_large_libraries(words: tuple[str, ...]) -> None:
    assert not imported(*words) & (NETWORKS | PICTURES | DATABASES | TRAINING | NUMBERS)


def test_results_imports_only_the_database_libraries(sorted_root: Path) -> None:
    found = imported("results", "--root", sorted_root)
    assert "sqlalchemy" in found
    assert not found & (NETWORKS | PICTURES | TRAINING | NUMBERS | {"alembic"})


def test_status_imports_no_database_library(sorted_root: Path) -> None:
    assert not imported("status", "--root", sorted_root) & (NETWORKS | PICTURES | DATABASES | TRAINING | NUMBERS)


def test_undo_imports_no_network_and_no_migrations(sorted_root: Path) -> None:
    assert not imported("undo", "--last", "--root", sorted_root) & (NETWORKS | TRAINING | {"alembic"})


def test_the_daemon_with_an_int8_model_imports_neither_tensorflow_nor_training_libraries(
    sorted_root: Path, photo: Photo
) -> None:
    (sorted_root / "inbox/b.jpg").write_bytes(photo(shade=9))
    found = imported("run", "--once", "--root", sorted_root, FOODSORT_MODEL__ENGINE="openvino")
    assert not (sorted_root / "inbox/b.jpg").exists()
    assert "openvino" in found
    assert not found & (TRAINING | {"tensorflow", "keras", "alembic"})
