import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from daemon.database import addresses, connections
from daemon.settings import load
from tests.daemon.conftest import Foodsort, Photo

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with two photos of food, one of something else, and a failed file."""
    for name, data in {
        "soup.jpg": photo("food", 1),
        "salad.jpg": photo("food", 2),
        "sea.jpg": photo("non_food", 3),
        "bill.pdf": b"%PDF",
    }.items():
        (root / "inbox" / name).write_bytes(data)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def test_init_makes_a_root_and_keeps_existing_files(tmp_path: Path, foodsort: Foodsort) -> None:
    code, out, _ = foodsort("init", tmp_path / "photos")
    assert code == 0
    assert "foodsort run --root" in out
    assert {path.name for path in (tmp_path / "photos").iterdir()} == {
        "inbox",
        "food",
        "non_food",
        "failed",
        "foodsort.toml",
    }
    assert (tmp_path / "photos/foodsort.toml").stat().st_mode & 0o777 == 0o640  # it may get a password
    (tmp_path / "photos/foodsort.toml").write_text("[watch]\n")
    assert foodsort("init", tmp_path / "photos")[0] == 0
    assert (tmp_path / "photos/foodsort.toml").read_text() == "[watch]\n"


def test_results_are_equal_in_every_format(sorted_root: Path, foodsort: Foodsort) -> None:
    _, out, _ = foodsort("results", "--root", sorted_root, "--format", "json")
    array = json.loads(out)
    _, out, _ = foodsort("results", "--root", sorted_root, "--format", "jsonl")
    assert [json.loads(line) for line in out.splitlines()] == array
    _, out, _ = foodsort("results", "--root", sorted_root, "--format", "csv")
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in table] == [row["path"] for row in array]
    assert list(table[0]) == list(array[0])
    assert list(array[0])[:11] == [
        *("id", "name", "path", "sha256", "label", "predicted_label", "corrected_label", "probability", "state"),
        *("model", "classified_at"),
    ]
    _, out, _ = foodsort("results", "--root", sorted_root)
    assert "soup.jpg" in out
    assert "not_an_image" in out


def test_results_reads_the_log_of_a_killed_daemon_and_writes_nothing(
    sorted_root: Path, foodsort: Foodsort, tmp_path: Path
) -> None:
    before = sorted(sorted_root.iterdir())
    assert foodsort("results", "--root", sorted_root)[0] == 0
    assert sorted(sorted_root.iterdir()) == before
    # After a kill of the daemon the last rows are in the log and not in the file yet.
    writer = sqlite3.connect(sorted_root / "foodsort.db")
    writer.execute("UPDATE photos SET state = 'missing'")
    writer.commit()
    shutil.copytree(sorted_root, tmp_path / "killed")
    writer.close()
    _, out, _ = foodsort("results", "--root", tmp_path / "killed", "--format", "jsonl")
    assert {json.loads(line)["state"] for line in out.splitlines()} == {"missing"}


def test_no_results_are_an_empty_array(sorted_root: Path, foodsort: Foodsort) -> None:
    words = ("results", "--root", sorted_root, "--until", "2000-01-01", "--format", "json")
    assert json.loads(foodsort(*words)[1]) == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--label", "food"], {"soup.jpg", "salad.jpg"}),
        (["--label", "non_food"], {"sea.jpg"}),
        (["--state", "failed"], {"bill.pdf"}),
        (["--state", "filed"], {"soup.jpg", "salad.jpg", "sea.jpg"}),
        (["--name", "soup.jpg"], {"soup.jpg"}),
        (["--name", "s*"], {"soup.jpg", "salad.jpg", "sea.jpg"}),
        (["--name", "%*"], set()),
        (["--min-probability", "0.99", "--label", "non_food"], {"sea.jpg"}),
        (["--since", "2000-01-01"], {"soup.jpg", "salad.jpg", "sea.jpg"}),
        (["--since", "2999-01-01"], set()),
        (["--until", "2999-01-01T00:00:00.000000Z"], {"soup.jpg", "salad.jpg", "sea.jpg"}),
        (["--until", "2999-01-01T10:00+02:00"], {"soup.jpg", "salad.jpg", "sea.jpg"}),
    ],
)
def test_results_are_filtered(sorted_root: Path, foodsort: Foodsort, words: list[str], names: set[str]) -> None:
    _, out, _ = foodsort("results", "--root", sorted_root, "--format", "json", *words)
    assert {row["name"] for row in json.loads(out)} == names


def test_the_limit_takes_the_newest(sorted_root: Path, foodsort: Foodsort) -> None:
    _, out, _ = foodsort("results", "--root", sorted_root, "--format", "json", "--limit", "1")
    assert [row["id"] for row in json.loads(out)] == [4]


def test_results_before_the_first_run_name_the_next_command(tmp_path: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("results", "--root", tmp_path)
    assert (code, out) == (1, "")
    assert "foodsort run" in err


def test_classify_labels_and_moves_nothing(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "a.jpg").write_bytes(photo("food"))
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    (root / "c.jpg").write_bytes(b"no picture")
    words = ("classify", root / "a.jpg", root / "inbox", root / "c.jpg", root / "none.jpg", "--engine", "scripted")
    before = sorted(root.rglob("*"))
    code, out, err = foodsort(*words, "--format", "json")
    assert code == 1
    assert sorted(root.rglob("*")) == before
    food, other, broken, missing = map(json.loads, out.splitlines())
    assert (food["path"], food["label"]) == (str(root / "a.jpg"), "food")
    assert set(food) == {"path", "label", "probability", "model"}
    assert (other["path"], other["label"]) == (str(root / "inbox/b.jpg"), "non_food")
    assert other["probability"] < 0.5 < food["probability"]
    assert broken["error"] == "not_an_image"
    assert missing["error"] == "unreadable"
    assert "none.jpg" in err
    code, out, _ = foodsort("classify", root / "a.jpg", "--engine", "scripted")
    assert code == 0
    assert out.startswith("food ")


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["fly"],
        ["run", "--root", ".", "--twice"],
        ["results", "--root", ".", "--label", "fish"],
        ["results", "--root", ".", "--min-probability", "2"],
        ["results", "--root", ".", "--since", "yesterday"],
        ["classify"],
    ],
)
def test_invalid_arguments_have_exit_code_2(words: list[str], foodsort: Foodsort) -> None:
    code, out, err = foodsort(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_invalid_settings_have_exit_code_2_and_move_nothing(root: Path, foodsort: Foodsort, photo: Photo) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    (root / "foodsort.toml").write_text("[watch]\nsetle_s = 1\n")
    code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 2
    assert "setle_s is not a setting" in err
    assert (root / "inbox/a.jpg").exists()


@pytest.mark.parametrize("url", ["nonsense", "postgresql://me:secret@127.0.0.1:port/photos"])
def test_an_invalid_database_url_is_an_invalid_setting(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", url)
    for command in ("run", "results"):
        code, _, err = foodsort(command, "--root", root)
        assert (code, "database.url is not an SQLAlchemy URL" in err, "secret" in err) == (2, True, False)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FOODSORT_MODEL__BUNDLE", "no-such-bundle", "not a complete model bundle"),
        ("FOODSORT_DATABASE__URL", "sqlite:////proc/none/foodsort.db", "cannot be used"),
        ("FOODSORT_DATABASE__URL", "oracle://x", "no driver for oracle: No module named 'oracledb'\n"),
        ("FOODSORT_FOLDERS__FOOD", "/proc/none/food", "/proc/none"),
    ],
)
def test_user_errors_give_a_message_and_no_traceback(
    root: Path,
    foodsort: Foodsort,
    monkeypatch: pytest.MonkeyPatch,
    photo: Photo,
    variable: str,
    value: str,
    message: str,
) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    monkeypatch.setenv(variable, value)
    code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert (root / "inbox/a.jpg").exists()


def test_a_locked_database_is_reported(root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.1)
    connections.connect(addresses.database_url(root, "")).dispose()
    with closing(sqlite3.connect(root / "foodsort.db")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 1
    assert "database is locked" in err
    assert "Traceback" not in err


def test_a_root_that_is_a_file_is_named(tmp_path: Path, foodsort: Foodsort) -> None:
    (tmp_path / "file").touch()
    code, _, err = foodsort("run", "--root", tmp_path / "file", "--once")
    assert code == 1
    assert str(tmp_path / "file") in err


def test_version_and_help_work_as_modules() -> None:
    for words in (["-m", "daemon", "--version"], ["-m", "training", "--help"]):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        assert version("foodsort") in done.stdout or "train" in done.stdout


def test_the_command_line_starts_without_tensorflow(root: Path) -> None:
    modules = "daemon.cli, daemon.queries.results, daemon.database.connections, daemon.service.lifecycle"
    code = f"import sys, {modules}; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_init_from_sync_takes_copies_and_excludes_foodsorts_folder(tmp_path: Path, foodsort: Foodsort) -> None:
    inbox = tmp_path / "photos/inbox"
    assert foodsort("init", tmp_path / "photos")[0] == 0
    (inbox / ".stfolder").mkdir()
    (inbox / ".stignore").write_text("*.tmp")
    for _ in range(2):
        assert foodsort("init", "--from-sync", tmp_path / "photos")[0] == 0
        assert load(tmp_path / "photos").watch.take == "copy"
        assert (inbox / ".stignore").read_text() == "*.tmp\n.foodsort\n"


def test_init_from_sync_excludes_the_database_of_a_synced_root(tmp_path: Path, foodsort: Foodsort) -> None:
    (tmp_path / ".stfolder").mkdir()
    assert foodsort("init", "--from-sync", tmp_path / "photos")[0] == 0
    assert (tmp_path / ".stignore").read_text() == ".foodsort\nfoodsort.*\n"
    assert not (tmp_path / "photos/inbox/.stignore").exists()


def test_init_from_sync_changes_no_settings_of_a_person(tmp_path: Path, foodsort: Foodsort) -> None:
    text = '[watch]\ntake = "move"\n'
    (tmp_path / "foodsort.toml").write_text(text)
    code, _, errors = foodsort("init", "--from-sync", tmp_path)
    assert code == 1
    assert 'set take = "copy"' in errors
    assert (tmp_path / "foodsort.toml").read_text() == text
