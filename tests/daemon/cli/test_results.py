import csv
import io
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, root_id, schema
from models.bundle import Bundle
from tests.daemon.conftest import Foodsort, Photo, running, until
from tests.daemon.processes import watch_command
from tests.daemon.rows import select, states
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
        (("--cursor", "file", "--format", "jsonl"), "--watch"),
        (("--cursor", "file", "--watch", "--format", "csv"), "jsonl"),
        (("--cursor", "file", "--watch", "--format", "jsonl", "--limit", "3"), "--limit"),
    ],
)
def test_incompatible_options_are_refused_by_name(
    tmp_path: Path, engine: sa.Engine, foodsort: Foodsort, words: tuple[str, ...], why: str
) -> None:
    code, out, err = foodsort("results", "--root", tmp_path, *words)
    assert (code, out) == (2, "")
    assert why in err


@pytest.fixture
def registered(tmp_path: Path, engine: sa.Engine) -> sa.Engine:
    """The database, which belongs to the root."""
    root_id.claim(tmp_path, engine)
    return engine


def test_a_cursor_goes_on_after_the_last_row(tmp_path: Path, registered: sa.Engine) -> None:
    cursor = tmp_path / "cursor"
    for expected in (["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"], ["new.jpg"]):
        with (tmp_path / "rows").open("w") as rows:
            command = [sys.executable, "-m", "daemon", "results", "--root", str(tmp_path), "--watch"]
            words = ["--format", "jsonl", "--cursor", str(cursor)]
            with subprocess.Popen([*command, *words], stdout=rows, stderr=subprocess.PIPE, text=True) as process:
                until(lambda: (tmp_path / "rows").read_text().count("\n") == len(expected), process)  # noqa: B023
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=60)[1] == ""
        assert [json.loads(line)["name"] for line in (tmp_path / "rows").read_text().splitlines()] == expected
        add(registered, "new.jpg")


def test_the_cursor_of_another_database_is_refused(
    tmp_path: Path, registered: sa.Engine, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = tmp_path / "cursor"
    text = '{"format": 1, "database": "another", "change": 1, "photo": 1, "missing": []}\n'
    cursor.write_text(text)
    words = ("results", "--root", tmp_path, "--watch", "--format", "jsonl", "--cursor", cursor)
    code, out, err = foodsort(*words)
    assert (code, out) == (1, "")
    assert f"the cursor {cursor} belongs to another database; name another file" in err
    assert json.loads(cursor.read_text())["database"] == "another"


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize(
    "reader",
    ["exec {watch} >> {rows}", "{watch} | while read -r row; do printf '%s\\n' \"$row\" >> {rows}; done"],
    ids=["file", "pipe"],
)
def test_a_reader_that_is_killed_again_and_again_gets_every_photo_in_order(
    root: Path, tmp_path: Path, photo: Photo, reader: str
) -> None:
    chance = random.Random(1)
    files: list[Path] = []

    def read() -> "subprocess.Popen[str]":
        files.append(tmp_path / f"rows {len(files)}")
        files[-1].touch()
        words = {"watch": watch_command(root, tmp_path / "cursor"), "rows": shlex.quote(str(files[-1]))}
        return subprocess.Popen(["sh", "-c", reader.format(**words)], text=True, start_new_session=True)

    def names() -> list[str]:
        lines = (line for file in files for line in file.read_text().splitlines(keepends=True))
        return [json.loads(line)["name"] for line in lines if line.endswith("\n")]  # a killed writer may cut a line

    dropped = 0
    with running(root) as daemon:
        for _ in range(8):
            process = read()
            before = len(names())
            try:
                for _ in range(10):
                    (root / f"inbox/{dropped}.jpg").write_bytes(photo(shade=dropped))
                    dropped += 1
                until(lambda: len(names()) > before, process)  # noqa: B023
                time.sleep(chance.random() / 5)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        until(lambda: len(states(root)) == dropped and set(states(root).values()) == {"filed"}, daemon)
        process = read()
        try:
            until(lambda: len(set(names())) == dropped, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    order = select(root, "SELECT name FROM changes c JOIN photos p ON p.id = c.photo_id ORDER BY c.id")
    assert list(dict.fromkeys(names())) == [row["name"] for row in order]


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


@pytest.fixture
def audited(tmp_path: Path, engine: sa.Engine) -> None:
    """Three audited photos: the live model is right on the first, wrong on the second, and has not seen the third."""
    with engine.begin() as connection:
        live = {"id": 2, "sha256": Bundle.load().sha256, "name": "live", "card": "{}", "first_used_at": "2026"}
        connection.execute(schema.models.insert().values(live))
    for sha256, model_id, label in (("0a", 2, "food"), ("0b", 2, "non_food"), ("0c", 1, "food")):
        photo = {"photo_id": add(engine, f"{sha256}.jpg", sha256=sha256, model_id=model_id), "label": label}
        with engine.begin() as connection:
            connection.execute(schema.reviews.insert().values(photo | {"reviewed_at": "2026", "source": "audit"}))


@pytest.mark.usefixtures("audited")
def test_audit_lists_audited_photos_with_the_live_models_labels(tmp_path: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("results", "--root", tmp_path, "--audit", "--sort", "oldest", "--format", "json")
    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert list(listed[0]) == [*(column.name for column in schema.results.c), "live_label", "live_is_right"]
    values = [(row["name"], row["label"], row["live_label"], row["live_is_right"]) for row in listed]
    assert values == [
        ("0a.jpg", "food", "food", True),
        ("0b.jpg", "non_food", "food", False),
        ("0c.jpg", "food", None, None),
    ]
    out = foodsort("results", "--root", tmp_path, "--audit", "--label", "non_food", "--format", "csv")[1]
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["name"], row["live_label"], row["live_is_right"]) == ("0b.jpg", "food", "False")


@pytest.mark.usefixtures("audited")
def test_the_table_of_the_audit_ends_with_the_accuracy(tmp_path: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("results", "--root", tmp_path, "--audit")
    assert (code, err) == (0, "")
    assert [line.split()[-1] for line in out.splitlines()[1:4]] == ["0c.jpg", "0b.jpg", "0a.jpg"]
    assert out.splitlines()[-1] == (
        "the live model is right on 1 of 2 audited photos: 50.0 % (95 % interval 9.5 to 90.5 %); 1,066 more for ± 3 %"
    )
    out = foodsort("results", "--root", tmp_path, "--audit", "--by", "label", "--format", "json")[1]
    assert [(group["label"], group["photos"]) for group in json.loads(out)] == [("food", 2), ("non_food", 1)]


def test_an_empty_audit_says_how_many_answers_are_missing(
    tmp_path: Path, engine: sa.Engine, foodsort: Foodsort
) -> None:
    code, out, _ = foodsort("results", "--root", tmp_path, "--audit")
    assert code == 0
    assert out.splitlines()[-1] == "the live model has seen none of 0 audited photos; 125 more for ± 3 %"
    code, _, err = foodsort("results", "--root", tmp_path, "--audit", "--watch")
    assert (code, "--watch" in err) == (2, True)
