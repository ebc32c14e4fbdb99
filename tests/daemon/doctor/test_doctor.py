import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from daemon.decoders.sandbox import Isolation
from daemon.doctor import model, secrets
from daemon.doctor.finding import CheckedRoot, Finding
from daemon.settings import load
from tests.daemon.conftest import Foodsort, Photo, fill, mounted, running
from tests.daemon.doctor.findings import examine, worst
from tests.daemon.learned_models import add_model
from tests.daemon.processes import limit_command

pytestmark = pytest.mark.slow


@pytest.fixture
def used(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def test_a_used_root_has_no_problem(used: Path, foodsort: Foodsort) -> None:
    before = sorted(used.rglob("*"))
    code, findings = examine(used, foodsort)
    assert sorted(used.rglob("*")) == before
    assert code == 0
    assert {check for check, (level, _) in findings.items() if level == "problem"} == set()
    assert {
        "settings",
        "daemon",
        "inbox",
        "food",
        "filesystem",
        "room",
        "events",
        "database",
        "rows",
        "model",
        "engine",
    } <= set(findings)
    assert findings["events"][0] == "ok"
    assert "undamaged" in findings["database"][1]
    assert findings["engine"] == ("ok", "scripted classifies a test image")
    sandboxed = "open no file, use no network and reach no other process (seccomp"
    assert (findings["decoders"][0], sandboxed in findings["decoders"][1]) in {("ok", True), ("warning", False)}
    assert foodsort("doctor", "--root", used)[1].count("\n") >= len(findings)


def test_before_the_first_run_nothing_is_a_problem(tmp_path: Path, foodsort: Foodsort) -> None:
    code, findings = examine(tmp_path, foodsort, "--quick")
    assert code == 0
    assert "foodsort run" in findings["inbox"][1]
    assert list(tmp_path.iterdir()) == []


def test_rows_and_files_that_do_not_belong_together(used: Path, photo: Photo, foodsort: Foodsort) -> None:
    (used / "food/a.jpg").rename(used / "food/b.jpg")
    (used / "food/new.jpg").write_bytes(photo(shade=1))
    (used / "food/notes.txt").write_text("no photo")
    code, findings = examine(used, foodsort)
    assert code == 0
    level, message = findings["rows"]
    assert (level, "`foodsort repair` corrects the rows" in message) == ("warning", True)
    assert "rows without their photo: 1 (food/a.jpg); files without a row: 2 (food/" in message
    full = examine(used, foodsort, "--full")[1]["rows"][1]
    assert full.startswith("files without a row: 1; photos that were moved: 1; ")
    assert "rows" not in examine(used, foodsort, "--quick")[1]
    assert foodsort("repair", "--root", used)[0] == 0
    assert examine(used, foodsort)[1]["rows"] == ("ok", "2 rows and 3 files agree; --full compares all")
    assert examine(used, foodsort, "--full")[1]["rows"] == ("ok", "all 2 rows and all files agree")


def test_quick_loads_no_library_that_is_slow_to_import(used: Path) -> None:
    code = (
        "import sys; from daemon.cli import app\ntry: app(['doctor', '--root', sys.argv[1], '--quick'])\n"
        "except SystemExit as end: assert not end.code\nassert not {'tensorflow', 'openvino'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(used)], check=True, capture_output=True)


def test_a_running_daemon_is_found_and_not_disturbed(root: Path, foodsort: Foodsort) -> None:
    with running(root) as daemon:
        code, findings = examine(root, foodsort, "--quick")
        assert code == 0
        assert f"process {daemon.pid} " in findings["daemon"][1]


def test_a_file_in_the_place_of_a_folder_is_a_problem(root: Path, foodsort: Foodsort) -> None:
    (root / "food").touch()
    code, findings = examine(root, foodsort, "--quick")
    assert code == 1
    assert findings["food"] == ("problem", f"{root}/food is not a folder; move it away")


def test_files_of_another_user_are_named(root: Path, photo: Photo) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may create another user's files")
    (root / "food").mkdir(mode=0o555)
    os.chown(root / "food", 12345, 12345)
    for name in ("theirs.jpg", "trip/theirs too.jpg"):
        path = root / "inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo())
        os.chown(path, 12345, 12345)
        path.chmod(0o600)
    without = "--bounding-set=-dac_override,-dac_read_search"
    command = [sys.executable, "-m", "daemon", "doctor", "--root", str(root), "--quick", "--format", "json"]
    done = subprocess.run(["setpriv", without, *command], capture_output=True, text=True, check=False)
    findings = worst(done.stdout)
    assert done.returncode == 1, done.stderr
    assert findings["food"][0] == "problem"
    assert "chown" in findings["food"][1]
    assert all(name in done.stdout for name in ("theirs.jpg", "trip/theirs too.jpg"))


@pytest.mark.system
def test_another_filesystem_and_a_full_one_are_warnings(root: Path, foodsort: Foodsort) -> None:
    with mounted(root / "food", "size=64k") as food:
        fill(food)
        _, findings = examine(root, foodsort, "--quick")
        assert findings["filesystem"][0] == "warning"
        assert findings["room"][0] == "warning"
        assert str(food) in findings["room"][1]


def test_limits_and_missing_events_are_warnings(root: Path) -> None:
    command = [sys.executable, "-m", "daemon", "doctor", "--root", str(root), "--quick", "--format", "json"]
    done = subprocess.run(
        [*limit_command("max_inotify_watches", 0), *command], capture_output=True, text=True, check=True
    )
    assert worst(done.stdout)["events"][0] == "warning"
    without_events = str(Path(__file__).parents[2] / "programs/no_events.py")
    done = subprocess.run([sys.executable, without_events, *command], capture_output=True, text=True, check=True)
    assert "no event arrived" in worst(done.stdout)["events"][1]


def test_a_damaged_database_is_a_problem_and_is_not_moved(used: Path, foodsort: Foodsort) -> None:
    path = used / "foodsort.db"
    path.write_bytes(b"my diary" * 1000)
    code, findings = examine(used, foodsort)
    assert code == 1
    assert "is damaged" in findings["database"][1]
    assert path.read_bytes() == b"my diary" * 1000


def test_a_locked_database_is_a_warning(used: Path, foodsort: Foodsort) -> None:
    with closing(sqlite3.connect(used / "foodsort.db")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        code, findings = examine(used, foodsort, "--quick")
    assert code == 0
    assert findings["database"][0] == "warning"
    assert "locked" in findings["database"][1]


@pytest.mark.parametrize("options", [[], ["--quick"]])
def test_a_missing_bundle_is_a_problem(
    used: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__BUNDLE", "none")
    code, findings = examine(used, foodsort, *options)
    assert code == 1
    assert findings["model"][0] == "problem"


def test_events_of_a_linked_inbox_arrive(root: Path, foodsort: Foodsort) -> None:
    (root / "inbox").rename(root / "real")
    (root / "inbox").symlink_to("real")
    assert examine(root, foodsort, "--quick")[1]["events"][0] == "ok"


def test_a_root_with_a_name_that_is_not_utf8_is_examined(used: Path, foodsort: Foodsort) -> None:
    odd = used.with_name(os.fsdecode(b"caf\xe9"))
    used.rename(odd)
    code, out, _ = foodsort("doctor", "--root", odd, "--quick", "--format", "json")
    messages = [finding["message"] for finding in json.loads(out)]
    assert code == 0
    assert any(r"caf\xe9/inbox is readable" in message for message in messages)
    assert any(r"caf\xe9/foodsort.db opens" in message for message in messages)
    (odd / "foodsort.db").unlink()
    assert r"caf\xe9/foodsort.db does not exist" in foodsort("results", "--root", odd)[2]


def test_a_root_with_a_leading_tilde_is_examined(root: Path) -> None:
    root.rename(root.with_name("~x"))
    command = [sys.executable, "-m", "daemon", "doctor", "--root", "./~x", "--quick"]
    done = subprocess.run(command, cwd=root.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("files", "free", "level"), [(1000, 0, "ok"), (0, 0, "ok"), (1000, 9, "warning")])
def test_few_inodes_are_a_warning_where_a_filesystem_counts_them(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, files: int, free: int, level: str
) -> None:
    fields = list(os.statvfs(root))
    fields[5:8] = [files, free, free]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    assert examine(root, foodsort, "--quick")[1]["room"][0] == level


@pytest.mark.parametrize(
    ("isolation", "level", "words"),
    [
        (Isolation(seccomp=True, landlock=7), "ok", "(seccomp and Landlock)"),
        (Isolation(seccomp=True, landlock=0), "ok", "(seccomp)"),
        (Isolation(seccomp=False, landlock=6), "warning", "reach no other process (Landlock), but"),
        (Isolation(seccomp=False, landlock=5), "warning", "signal other processes; install libseccomp2"),
        (
            Isolation(seccomp=False, landlock=0),
            "warning",
            "nothing blocks the network, files and other processes; install",
        ),
    ],
)
def test_the_decoders_confinement_is_described(isolation: Isolation, level: str, words: str) -> None:
    finding = model._confinement(isolation)
    assert finding.level == level
    assert words in finding.message


def _let_others_reach(folder: Path) -> None:
    """Lets others enter a folder in pytest's own ones, which are closed to them."""
    folder.chmod(0o755)
    if not folder.parent.stat().st_mode & 0o001:
        _let_others_reach(folder.parent)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ('[database]\nurl = "postgresql://me:hunter2@host/photos"', "the password in database.url"),
        ('[database]\nurl = "postgresql://host/photos?password=hunter2"', "the password in database.url"),
        ('[web]\ntoken = "hunter2hunter2"', "web.token"),
    ],
)
def test_a_secret_that_others_can_read_is_a_warning(tmp_path: Path, setting: str, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    _let_others_reach(root)
    path = root / "foodsort.toml"
    path.write_text(setting)

    def found() -> Finding:
        return secrets.check(CheckedRoot(root, load(root)))

    path.chmod(0o644)
    assert found().level == "warning"
    assert name in found().message
    assert f"chmod 640 {path}" in found().message
    assert "hunter2" not in found().message
    path.chmod(0o640)
    assert found() == Finding("secrets", "ok", f"other users cannot read {name}")
    path.chmod(0o644)
    root.chmod(0o750)
    assert found().level == "ok"


def test_without_a_secret_everyone_may_read_the_settings(tmp_path: Path) -> None:
    (tmp_path / "foodsort.toml").write_text('[database]\nurl = "postgresql://me@host/photos"\n')
    (tmp_path / "foodsort.toml").chmod(0o644)
    assert secrets.check(CheckedRoot(tmp_path, load(tmp_path))) == Finding("secrets", "ok", "foodsort.toml has none")


def test_a_candidate_is_named_with_its_judgement_and_a_damaged_one_is_a_warning(used: Path, foodsort: Foodsort) -> None:
    assert "candidate" not in examine(used, foodsort)[1]
    bundle = add_model(used, 1)
    assert examine(used, foodsort)[1]["candidate"] == (
        "ok",
        f"{bundle.model_name} is intact and waits to be put live: it is better",
    )
    (bundle.folder / "heads.npz").write_bytes(b"")
    level, message = examine(used, foodsort)[1]["candidate"]
    assert level == "warning"
    assert message.endswith("make another candidate with `foodsort learn`")


@pytest.mark.parametrize("words", [(), ("--quick",)])
def test_promotions_that_cannot_be_read_are_a_problem(used: Path, foodsort: Foodsort, words: tuple[str, ...]) -> None:
    (used / "models").mkdir()
    (used / "models/promotions.json").write_text("{")
    code, findings = examine(used, foodsort, *words)
    assert code == 1
    assert findings["model"][0] == "problem"
    assert "promotions.json is damaged" in findings["model"][1]
