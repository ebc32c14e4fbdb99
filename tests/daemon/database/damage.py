"""Damages SQLite files."""

import sqlite3
from contextlib import closing
from pathlib import Path

PAGE = 4096


def leaves(path: Path, name: str) -> list[int]:
    """The numbers of the pages that hold the rows of a table."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        return [number for (number,) in connection.execute(query, (name,))]


def overwrite(path: Path, page: int, data: bytes = b"\xff" * PAGE) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(data)
