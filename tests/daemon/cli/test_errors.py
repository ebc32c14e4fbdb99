"""Mistakes at the command line: each has a short message and the exit code of its kind."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo

pytestmark = pytest.mark.slow

MISTAKES = [
    (2, "results --root ROOT --lable food", "--lable"),
    (2, "results --root ROOT --by colour", "colour"),
    (2, "results --root ROOT --sort size", "size"),
    (2, "results --root ROOT --since yesterday", "yesterday"),
    (2, "results --root ROOT --until 2026-13-01", "2026-13-01"),
    (2, "results --root ROOT --limit 0", "--limit"),
    (2, "results --root ROOT --until 9999-12-31T23:00-05:00", "9999-12-31T23:00"),
    (2, "results --root ROOT --limit many", "--limit"),
    (0, "results --root ROOT --limit 99999999999999999999", ""),
    (0, "results --root ROOT --limit 99999999999999999999 --by day", ""),
    (2, "results --root ROOT --min-probability 2", "--min-probability"),
    (2, "results --root ROOT --state lost", "lost"),
    (2, "results", "--root"),
    (2, "results --root ''", "--root"),
    (2, "export --root ROOT --out ''", "--out"),
    (1, "results --root NONE", "foodsort init"),
    (1, "results --root NONE --watch", "foodsort init"),
    (1, "results --root EMPTY", "foodsort run"),
    (1, "results --root EMPTY --by day", "foodsort run"),
    (2, "correct --root ROOT food/a.jpg", "--label"),
    (2, "correct --root ROOT food/a.jpg --label unsure", "unsure"),
    (2, "correct --root ROOT --label food", "PATH"),
    (1, "correct --root ROOT food/none.jpg --label food", "food/none.jpg"),
    (1, "correct --root ROOT food/*.png --label food", "food/*.png"),
    (1, "correct --root ROOT food/[ --label food", "food/["),
    (1, "correct --root NONE food/a.jpg --label food", "foodsort"),
    (1, "correct --root EMPTY food/a.jpg --label food", "foodsort run"),
    (2, "undo --root ROOT", "PATH"),
    (2, "undo --root ROOT --last --batch 1", "one way"),
    (2, "undo --root ROOT --since noon", "noon"),
    (2, "undo --root ROOT --batch first", "--batch"),
    (2, "undo --root ROOT --batch 99999999999999999999999", "--batch"),
    (1, "undo --root ROOT --batch 99", "99"),
    (1, "undo --root ROOT food/none.jpg", "food/none.jpg"),
    (1, "undo --root EMPTY --last", "foodsort run"),
    (1, "undo --root NONE --last", "foodsort"),
    (2, "retry --root ROOT --sort", "--sort"),
    (1, "retry --root ROOT failed/none.jpg", "failed/none.jpg"),
    (1, "retry --root EMPTY", "foodsort run"),
    (1, "retry --root NONE", "foodsort"),
    (2, "classify", "PATH"),
    (2, "classify a.jpg --engine abacus", "abacus"),
    (1, "classify --engine scripted NONE/a.jpg", "a.jpg"),
    (1, "classify --engine scripted --model NONE a.jpg", "model"),
    (2, "classify --engine scripted --format xml a.jpg", "xml"),
]


@pytest.fixture
def places(root: Path, photo: Photo, foodsort: Foodsort, tmp_path: Path) -> dict[str, Path]:
    """A root with a sorted photo, an empty one, and a missing one."""
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--once", "--root", root)[0] == 0
    (tmp_path / "empty/inbox").mkdir(parents=True)
    return {"ROOT": root, "EMPTY": tmp_path / "empty", "NONE": tmp_path / "none"}


def test_a_mistake_has_a_message_and_the_exit_code_of_its_kind(places: dict[str, Path], foodsort: Foodsort) -> None:
    other: list[tuple[str, int, str]] = []
    for expected, line, message in MISTAKES:
        words = []
        for word in line.split():
            first, slash, rest = word.partition("/")
            word = word.strip("'")
            words.append(f"{places[first]}{slash}{rest}" if first in places else word)
        code, _, err = foodsort(*words)
        is_reported = message in err and "Traceback" not in err and len(err.splitlines()) <= 7
        if code != expected or not is_reported:
            other.append((line, code, err))
    assert other == []


@pytest.mark.parametrize("name", [b"\xff*", b"[\xff", b"*" + b"a" * 60_000])
def test_odd_names_cause_no_traceback(places: dict[str, Path], name: bytes) -> None:
    words = [b"results", b"--root", str(places["ROOT"]).encode(), b"--format", b"csv", b"--name", name]
    done = subprocess.run([sys.executable.encode(), b"-m", b"daemon", *words], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (1 if len(name) > 50_000 else 0)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["results --by day", "status", "correct --label non_food food/a.jpg", "undo -"])
def test_closed_streams_cause_no_traceback(places: dict[str, Path], closed: str, words: str) -> None:
    command = f"{sys.executable} -m daemon {words} --root {places['ROOT']} {closed}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if words == "status" else 0)
    with closing(sqlite3.connect(places["ROOT"] / "foodsort.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
