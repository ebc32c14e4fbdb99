import os
import re
from pathlib import Path
from typing import Any, cast

import pytest
from rich.cells import cell_len

from daemon.cli import tables
from daemon.database import addresses
from daemon.queries import counts
from daemon.queries.results import ResultRow
from tests.daemon.processes import run_command
from tests.daemon.sample_database import add, make_database
from tests.programs.terminal import on_terminal

pytestmark = pytest.mark.slow

LONG = "food/trip/" + "/".join(f"day{number:02}" for number in range(16)) + "/a-photo-with-a-name.jpg"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with rows of many kinds and without photos."""
    engine = make_database(addresses.database_url(tmp_path, ""))
    add(engine, "soup.jpg", camera="Canon EOS 80D", taken_at="2026-05-06T07:08:09")
    add(engine, "sea.jpg", predicted_label="food", corrected=("non_food",))
    add(engine, "pond.jpg", state="undone")
    failed: dict[str, Any] = {
        "predicted_label": None,
        "probability": None,
        "classified_at": None,
        "error_kind": "decoder_timeout",
    }
    add(engine, "bill.pdf", state="failed", **failed)
    for path in (LONG, ":heart:[bold]x.jpg", "日本語の寿司.jpg", r"esc\x1b[31m.jpg"):
        add(engine, path.rpartition("/")[2], path=path, camera="esc\x1b[31m")
    engine.dispose()
    return tmp_path


def table(width: int, root: Path, *words: str, **environment: str) -> list[str]:
    code, written = on_terminal(width, "results", "--root", root, *words, **environment)
    assert code == 0
    return COLOUR.sub("", written).splitlines()


@pytest.mark.parametrize("width", [30, 60, 80, 120, 160, 300])
@pytest.mark.parametrize("words", [(), ("--by", "camera"), ("--by", "day")])
def test_no_line_is_wider_than_the_terminal_and_no_path_is_cut(root: Path, width: int, words: tuple[str, ...]) -> None:
    lines = table(width, root, *words)
    assert max(map(cell_len, lines)) <= width
    if not words:
        start = lines[0].index("path")
        assert LONG in "".join(line[start:].strip() for line in lines)


@pytest.mark.parametrize(("width", "least"), [(30, 3), (45, 5), (60, 6), (80, 8)])
@pytest.mark.parametrize("by", ["day", "label", "camera"])
def test_counts_are_whole_or_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: Any, width: int, least: int
) -> None:
    columns = counts.columns(by)
    monkeypatch.setenv("COLUMNS", str(width))
    tables.groups([{by: "2026-11-01", **dict.fromkeys(columns[1:], 19322)}], columns)
    head, line, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[-1] in columns
    assert line.split()[1:] == ["19,322"] * (len(head.replace("day (UTC)", "day").split()) - 1)
    assert len(line.split()) >= least


def test_80_columns_show_the_main_columns_and_wide_terminals_more(root: Path) -> None:
    assert table(80, root)[0].split("  ")[0:2] == ["id", "when (UTC)"]
    assert table(80, root)[0].split() == ["id", "when", "(UTC)", "label", "P(food)", "path"]
    assert table(300, root)[0].split() == [
        "id",
        "when",
        "(UTC)",
        "label",
        "P(food)",
        "taken",
        "camera",
        "model",
        "path",
    ]
    assert table(30, root)[0].split() == ["label", "path"]


def test_a_persons_label_a_failure_and_an_unusual_state_are_marked(root: Path) -> None:
    lines = table(160, root)
    assert lines[-1] == "* by a person"
    by_name = {line.split()[-1]: line for line in lines}
    assert "non_food*" in by_name["sea.jpg"]
    assert "food*" not in by_name["soup.jpg"]
    assert "food, undone" in by_name["pond.jpg"]
    assert "decoder_timeout" in by_name["bill.pdf"]
    assert "2026-11-01 12:00" in by_name["bill.pdf"]  # when it was claimed


def test_names_and_cameras_cannot_control_the_terminal(root: Path) -> None:
    written = on_terminal(300, "results", "--root", root)[1]
    assert ":heart:[bold]x.jpg" in written
    assert r"esc\x1b[31m.jpg" in written
    assert "esc\x1b[31m" not in written


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
@pytest.mark.parametrize("words", [("results",), ("results", "--help"), ("--help",)])
def test_colours_depend_on_the_environment(
    root: Path, words: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    options = ("--root", root) if len(words) == 1 and words[0] == "results" else ()
    code, written = on_terminal(80, *words, *options, **environment)
    assert code == 0
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", written)) is coloured
    if environment.get("TERM") == "dumb":
        assert "\x1b" not in written


def test_a_piped_table_has_a_line_for_each_row_and_every_column(root: Path) -> None:
    without = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = run_command("results", "--root", root, environment=without)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    head, *lines, note = done.stdout.splitlines()
    assert "model" in head
    assert note == "* by a person"
    assert len(lines) == 8
    assert any(line.rstrip().endswith(LONG) for line in lines)


def test_hidden_rows_are_counted_on_stderr(root: Path) -> None:
    def stderr_of(*words: str) -> str:
        done = run_command("results", "--root", root, *words)
        assert done.returncode == 0
        return done.stderr

    assert stderr_of("--limit", "2") == "2 of 8 photos; --limit shows more\n"
    assert stderr_of("--limit", "8") == stderr_of("--limit", "9") == ""
    assert stderr_of("--limit", "2", "--label", "food") == "2 shown; a higher --limit may show more\n"
    assert stderr_of("--limit", "1", "--by", "camera") == "1 group shown; --limit shows more\n"
    assert stderr_of("--limit", "3", "--by", "camera") == ""
    assert stderr_of("--limit", "2", "--format", "jsonl") == ""


def test_followed_rows_are_aligned_with_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    row: dict[str, Any] = dict.fromkeys(("error_kind", "corrected_label", "taken_at", "camera", "model"))
    row |= {"id": 1234567, "classified_at": "2026-11-01T12:00:00.000000Z", "label": "food", "probability": 0.5}
    row |= {"state": "filed", "path": "food/a b.jpg"}
    tables.follow([cast(ResultRow, row)])
    head, line = capsys.readouterr().out.splitlines()
    for name, value in (("when (UTC)", "2026-11-01 12:00"), ("label", "food"), ("path", "food/a b.jpg")):
        assert head.index(name) == line.index(value)
