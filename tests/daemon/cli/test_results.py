import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, schema
from tests.daemon.conftest import Foodsort
from tests.daemon.sample_database import add, make_database

pytestmark = pytest.mark.slow

FORMATS = ["table", "json", "jsonl", "csv"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = make_database(addresses.database_url(tmp_path, ""))
    for number in range(5):
        add(engine, f"{number}.jpg", 1 + number, camera="Canon" if number else None)
    yield engine
    engine.dispose()


@contextmanager
def watching(root: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "daemon", "results", "--root", str(root), "--watch", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_groups_are_equal_in_every_format(tmp_path: Path, engine: sa.Engine, foodsort: Foodsort) -> None:
    def grouped(form: str) -> str:
        code, out, err = foodsort("results", "--root", tmp_path, "--by", "camera", "--format", form)
        assert (code, err) == (0, "")
        return out

    groups = json.loads(grouped("json"))
    assert [(group["camera"], group["photos"]) for group in groups] == [("Canon", 4), (None, 1)]
    assert [json.loads(line) for line in grouped("jsonl").splitlines()] == groups
    rows = list(csv.DictReader(io.StringIO(grouped("csv"))))
    assert [
        {name: str(value or ("" if value is None else 0)) for name, value in group.items()} for group in groups
    ] == rows
    assert [line.split()[:2] for line in grouped("table").splitlines()] == [
        ["camera", "photos"],
        ["Canon", "4"],
        ["none", "1"],
    ]


@pytest.mark.parametrize(
    ("sort", "names"),
    [("newest", "43210"), ("oldest", "01234"), ("name", "01234"), ("certainty", "01234")],
)
def test_sort_determines_the_order(
    tmp_path: Path, engine: sa.Engine, foodsort: Foodsort, sort: str, names: str
) -> None:
    words = ("results", "--root", tmp_path, "--sort", sort, "--format", "jsonl")
    printed = [json.loads(line)["name"] for line in foodsort(*words)[1].splitlines()]
    assert printed == [f"{name}.jpg" for name in names]


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_watch_prints_each_new_photo_until_ctrl_c(tmp_path: Path, engine: sa.Engine, form: str) -> None:
    with watching(tmp_path, "--format", form, "--limit", "2") as process:
        assert process.stdout
        heads = [process.stdout.readline() for _ in range(form != "jsonl")]
        assert all("path" in head for head in heads)
        assert ["3.jpg" in process.stdout.readline(), "4.jpg" in process.stdout.readline()] == [True, True]
        add(engine, "new.jpg", batch_id=3)
        assert "new.jpg" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 130


def test_watch_reports_a_missing_database_once(tmp_path: Path) -> None:
    with watching(tmp_path, "--format", "jsonl") as process:
        assert process.stdout
        assert process.stderr
        assert "waiting" in process.stderr.readline()
        engine = make_database(addresses.database_url(tmp_path, ""))
        add(engine, "new.jpg", batch_id=3)
        engine.dispose()
        assert "new.jpg" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")


def test_watch_ends_when_its_reader_closes_the_pipe(tmp_path: Path, engine: sa.Engine) -> None:
    with watching(tmp_path, "--format", "jsonl") as process:
        assert process.stdout
        assert process.stderr
        assert [process.stdout.readline() != "" for _ in range(5)] == [True] * 5
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("photos", [3, 3_000])
def test_a_closed_pipe_is_no_error_message(tmp_path: Path, engine: sa.Engine, form: str, photos: int) -> None:
    with engine.begin() as connection:  # more than a pipe and a buffer hold
        rows = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {photos})"
        listed = ", ".join(column.name for column in schema.photos.columns if column.name != "id")
        connection.exec_driver_sql(
            f"INSERT INTO photos ({listed}) {rows} SELECT {listed} FROM photos, n WHERE photos.id = 1"
        )
    words = [sys.executable, "-m", "daemon", "results", "--root", str(tmp_path), "--format", form, "--limit", "9999"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


def test_a_full_disk_is_reported(tmp_path: Path, engine: sa.Engine) -> None:
    command = [sys.executable, "-m", "daemon", "results", "--root", str(tmp_path), "--format", "csv"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "foodsort: No space left on device\n")


@pytest.mark.parametrize("form", FORMATS)
def test_names_are_printed_in_every_encoding(
    tmp_path: Path, engine: sa.Engine, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    add(engine, "日本.jpg")
    add(engine, "caf\\xe9.jpg")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    command = [sys.executable, "-m", "daemon", "results", "--root", str(tmp_path), "--format", form]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"caf" in done.stdout
    assert ("日本.jpg".encode() in done.stdout) is (form != "table")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--watch", "--format", "json"), "jsonl"),
        (("--watch", "--by", "day"), "--by"),
        (("--watch", "--sort", "name"), "--sort"),
        (("--by", "day", "--sort", "name"), "--sort"),
    ],
)
def test_incompatible_options_are_refused_by_name(
    tmp_path: Path, engine: sa.Engine, foodsort: Foodsort, words: tuple[str, ...], why: str
) -> None:
    code, out, err = foodsort("results", "--root", tmp_path, *words)
    assert (code, out) == (2, "")
    assert why in err


def test_csv_has_no_formulas_unless_raw(tmp_path: Path, engine: sa.Engine, foodsort: Foodsort) -> None:
    dangerous = ["=1+1.jpg", "+1+1.jpg", "-1+1.jpg", "@SUM(1).jpg", "\tx.jpg", "\rx.jpg", "=cmd|' /C calc'!A0"]
    harmless: dict[str, Any] = {
        "logit": -1.5,
        "probability": 0.25,
        "taken_at": "2026-11-01T10:00:00",
        "taken_offset": "-05:00",
    }
    for number, text in enumerate(dangerous):
        add(engine, f"{text} {number}", 9, camera=text, **harmless)

    def printed(*words: str) -> list[dict[str, str]]:
        code, out, err = foodsort("results", "--root", tmp_path, "--sort", "oldest", "--format", *words)
        assert (code, err) == (0, "")
        if words[0] == "csv":
            return list(csv.DictReader(io.StringIO(out, newline="")))[-len(dangerous) :]
        return [json.loads(line) for line in out.splitlines()][-len(dangerous) :]

    exact = printed("jsonl")
    assert [row["camera"] for row in exact] == dangerous
    safe = printed("csv")
    assert [row["camera"] for row in safe] == [f"'{text}" for text in dangerous]
    assert all(row["name"].startswith(("'", "\\x")) and row["path"] == row["name"] for row in safe)
    assert {(row["logit"], row["probability"], row["taken_offset"]) for row in safe} == {("-1.5", "0.25", "-05:00")}
    assert [row["camera"] for row in printed("csv", "--raw")] == dangerous
    groups = foodsort("results", "--root", tmp_path, "--by", "camera", "--format", "csv")[1]
    assert {row["camera"] for row in csv.DictReader(io.StringIO(groups, newline=""))} >= {
        f"'{text}" for text in dangerous
    }


def test_raw_is_for_csv_only(tmp_path: Path, foodsort: Foodsort) -> None:
    code, _, err = foodsort("results", "--root", tmp_path, "--format", "json", "--raw")
    assert code == 2
    assert "--format csv" in err
