"""Datasette reads the database with a running daemon and without, and a copy of it."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.daemon.conftest import Photo, running, until
from tests.daemon.photos import sort_photo

pytestmark = pytest.mark.slow

DATASETTE = (sys.executable, "-m", "datasette")


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Serves a database file with Datasette; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (path.parent / "datasette.log").open("w") as log:
        server = subprocess.Popen([*DATASETTE, "serve", path, "--port", str(port)], stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or server.poll() is not None)
        yield f"http://127.0.0.1:{port}/{path.stem}"
    finally:
        server.terminate()
        server.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def shown(address: str) -> list[dict[str, Any]]:
    with urlopen(f"{address}/results.json?_shape=array&_sort=id&state__exact=filed", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def beside(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path.parent) if name.startswith(path.name))


def test_datasette_shows_new_rows_and_never_blocks_the_daemon(root: Path, photo: Photo) -> None:
    path = root / "foodsort.db"
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "1.jpg", daemon)
        with served(path) as address:
            until(lambda: [row["path"] for row in shown(address)] == ["food/1.jpg"], daemon)
            sort_photo(root, photo(shade=2), "2.jpg", daemon)
            until(lambda: len(shown(address)) == 2, daemon)
            assert shown(address)[1]["label"] == "food"
            daemon.terminate()
            assert daemon.wait(20) == 0
            assert len(shown(address)) == 2
            with running(root) as second:
                sort_photo(root, photo(shade=3), "3.jpg", second)
                until(lambda: len(shown(address)) == 3, second)
    with running(root) as third:
        sort_photo(root, photo(shade=4), "4.jpg", third)
    assert beside(path) == ["foodsort.db"]


def test_the_daemon_removes_the_files_that_datasette_leaves(root: Path, photo: Photo) -> None:
    path = root / "foodsort.db"
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "1.jpg", daemon)
    assert beside(path) == ["foodsort.db"]
    with served(path) as address:
        assert [row["path"] for row in shown(address)] == ["food/1.jpg"]
    with running(root) as daemon:
        sort_photo(root, photo(shade=2), "2.jpg", daemon)
    assert beside(path) == ["foodsort.db"]


def test_datasette_reads_an_immutable_copy_and_writes_nothing(root: Path, photo: Photo, tmp_path: Path) -> None:
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "1.jpg", daemon)
        until(lambda: "filed" in states(root / "foodsort.db"), daemon)
        with (
            closing(sqlite3.connect(root / "foodsort.db")) as source,
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
        ):
            source.backup(copy)
    question = "/copy/results.json?_shape=array&label__exact=food"
    get: list[str | Path] = [*DATASETTE, "-i", tmp_path / "copy.db", "--get", question]
    answer = subprocess.run(get, capture_output=True, text=True, check=True).stdout
    assert [row["path"] for row in json.loads(answer)] == ["food/1.jpg"]
    assert beside(tmp_path / "copy.db") == ["copy.db"]


def states(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {state for (state,) in connection.execute("SELECT state FROM results")}
