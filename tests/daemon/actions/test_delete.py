"""`foodsort delete`: permanent removal of failed photos."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.photo import FAILED, State
from daemon.queries.explanations import WHY_NOT_DELETED
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.photos import drop, run_once
from tests.daemon.processes import COMMAND, kill_at
from tests.daemon.rows import rows, states

pytestmark = pytest.mark.slow

BILL = "failed/trip/bill.pdf"
SIDECARS = {"failed/a.pdf.error.json", f"{BILL}.error.json"}


@pytest.fixture
def failed(root: Path, each_database: None, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with two failed photos and a sorted one, with a database of each kind."""
    drop(root, "a.pdf", b"%PDF-a")
    drop(root, "trip/bill.pdf", b"%PDF-bill")
    drop(root, "soup.jpg", photo())
    run_once(root, foodsort)
    assert set(tree(root)) == {"food/soup.jpg", "failed/a.pdf", BILL} | SIDECARS
    return root


def delete(root: Path, *paths: str | Path) -> tuple[str | Path, ...]:
    return ("delete", "--root", root, "--yes", *paths)


def test_delete_removes_the_photo_and_its_sidecar_and_keeps_the_row(failed: Path, foodsort: Foodsort) -> None:
    before = rows(failed)
    code, out, err = foodsort(*delete(failed, BILL))
    assert (code, err) == (0, "")
    assert out.splitlines() == [BILL, "1 photo is deleted"]
    assert set(tree(failed)) == {"food/soup.jpg", "failed/a.pdf", "failed/a.pdf.error.json"}
    bill = next(row for row in before if row["path"] == BILL)
    assert next(row for row in rows(failed) if row["path"] == BILL) == bill | {"state": "deleted"}
    assert run_once(failed, foodsort).startswith("0 photos sorted")


def test_delete_accepts_a_folder(failed: Path, foodsort: Foodsort) -> None:
    assert foodsort(*delete(failed, "failed"))[0] == 0
    assert set(tree(failed)) == {"food/soup.jpg"}
    assert states(failed) == {"food/soup.jpg": "filed", "failed/a.pdf": "deleted", BILL: "deleted"}


@pytest.mark.parametrize(("answer", "deleted"), [("y\n", 2), ("n\n", 0), ("\n", 0)])
def test_delete_asks_for_confirmation(
    failed: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, answer: str, deleted: int
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
    code, out, _ = foodsort("delete", "--root", failed, "failed")
    assert code == 0
    assert f"Delete 2 photos permanently (failed/a.pdf, {BILL})?" in out
    assert list(states(failed).values()).count("deleted") == deleted
    assert len(SIDECARS & set(tree(failed))) == 2 - deleted


@pytest.mark.parametrize("literal", ["photo[1].jpg", "lit\\x1b.jpg"])
def test_a_repeated_delete_removes_no_other_photo(
    root: Path, foodsort: Foodsort, each_database: None, literal: str
) -> None:
    for name in ("photo[1].jpg", "photo1.jpg", "lit\x1b.jpg", "lit\\x1b.jpg", "failed/photo[1].jpg"):
        drop(root, name, f"no picture {name}".encode())
    run_once(root, foodsort)
    assert foodsort(*delete(root, f"failed/{literal}"))[0] == 0
    left = tree(root)
    code, out, err = foodsort(*delete(root, f"failed/{literal}"))
    assert (code, err) == (1, f"foodsort: failed/{literal}: was deleted\n")
    assert out.startswith("0 photos")
    assert tree(root) == left
    assert list(states(root).values()).count("deleted") == 1


def test_a_path_is_relative_to_the_root_before_the_working_folder(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("e.jpg", "failed/e.jpg"):
        drop(root, name, f"no picture {name}".encode())
    run_once(root, foodsort)
    monkeypatch.chdir(root / "failed")
    for code in (0, 1):
        assert foodsort(*delete(root, "failed/e.jpg"))[0] == code
        assert {path for path, state in states(root).items() if state == "failed"} == {"failed/failed/e.jpg"}
    assert foodsort(*delete(root, "failed/*.jpg"))[0] == 1
    assert foodsort(*delete(root, "failed/failed/e.jpg"))[0] == 0


@pytest.mark.parametrize(
    ("pattern", "deleted"),
    [
        (r"failed/[\x0a]*", set()),
        (r"failed/[5\x2a-c]*", {"*.jpg", "5.jpg", "c.jpg"}),
        (r"failed/\x2a*", {"*.jpg"}),
        (r"failed/\x0a*", {"\n.jpg"}),
        (r"failed/\x??.jpg", {"\n.jpg", "\\.jpg"}),
        ("failed/\\*", {"\\.jpg"}),
    ],
)
def test_an_escape_in_a_pattern_matches_only_its_own_character(
    root: Path, foodsort: Foodsort, each_database: None, pattern: str, deleted: set[str]
) -> None:
    for name in ("*.jpg", "5.jpg", "b.jpg", "c.jpg", "x.jpg", "\n.jpg", "\\.jpg"):
        drop(root, name, name.encode())
    run_once(root, foodsort)
    before = set(os.listdir(root / "failed"))
    foodsort(*delete(root, pattern))
    gone = before - set(os.listdir(root / "failed"))
    assert {name for name in gone if "error" not in name} == deleted


def test_only_failed_photos_are_deleted(failed: Path, foodsort: Foodsort) -> None:
    before = tree(failed)
    code, out, err = foodsort(*delete(failed, "food/soup.jpg"))
    assert (code, err) == (1, f"foodsort: food/soup.jpg: {WHY_NOT_DELETED['filed']}\n")
    assert out == "0 photos are deleted; 1 could not be deleted\n"
    assert tree(failed) == before


def test_every_state_but_failed_has_a_reason_against_deletion() -> None:
    states: set[str] = set(State.__args__)  # type: ignore[attr-defined]
    assert set(WHY_NOT_DELETED) | {FAILED} == states


def change(path: Path) -> None:
    path.write_bytes(b"repaired")  # the same inode


def exchange(path: Path) -> None:
    path.rename(path.with_name("away"))
    path.write_bytes(b"%PDF-else")
    os.utime(path, ns=(10**18, 10**18 + 1007))


def link(path: Path) -> None:
    path.rename(path.with_name("away"))
    path.symlink_to("away")


@pytest.mark.parametrize("other", [change, exchange, link])
def test_a_file_that_replaced_the_failed_photo_stays(failed: Path, foodsort: Foodsort, other: object) -> None:
    other(failed / BILL)  # type: ignore[operator]
    before = tree(failed)
    code, _, err = foodsort(*delete(failed, BILL))
    assert code == 1
    assert err.startswith(f"foodsort: {BILL} is no longer")
    assert tree(failed) == before
    assert states(failed)[BILL] == "failed"


def test_a_copy_of_the_failed_photo_is_deleted(failed: Path, foodsort: Foodsort) -> None:
    data = (failed / BILL).read_bytes()
    (failed / BILL).rename(failed / "away")  # so that its inode is another one
    (failed / BILL).write_bytes(data)
    assert foodsort(*delete(failed, BILL))[0] == 0
    assert not (failed / BILL).exists()


def test_delete_does_not_follow_a_link_in_place_of_a_folder(failed: Path, tmp_path: Path, foodsort: Foodsort) -> None:
    (failed / "failed/trip").rename(tmp_path / "trip")
    (failed / "failed/trip").symlink_to(tmp_path / "trip")
    code, _, err = foodsort(*delete(failed, BILL))
    assert (code, err.splitlines()[0].startswith(f"foodsort: {BILL} cannot be reached")) == (1, True)
    assert (tmp_path / "trip/bill.pdf").exists()
    assert (tmp_path / "trip/bill.pdf.error.json").exists()


def test_a_users_file_with_the_name_of_a_sidecar_stays(failed: Path, foodsort: Foodsort) -> None:
    (failed / f"{BILL}.error.json").write_bytes(b"my notes")
    assert foodsort(*delete(failed, BILL))[0] == 0
    assert (failed / f"{BILL}.error.json").read_bytes() == b"my notes"


@pytest.mark.parametrize("point", ["begun", "taken", "unexplained", "arrived", "arrived:2"])
@pytest.mark.parametrize("next_", ["run", "retry", "delete"])
def test_the_next_command_completes_a_killed_delete(
    failed: Path, photo: Photo, foodsort: Foodsort, point: str, next_: str
) -> None:
    kill_at(point, *delete(failed, "failed"))
    words = {
        "run": ("run", "--once", "--root", failed),
        "retry": ("retry", "--root", failed),
        "delete": delete(failed, "failed"),
    }[next_]
    code, _, err = foodsort(*words)
    assert code == (1 if next_ == "delete" else 0), err  # which finds nothing left to delete
    assert tree(failed) == {"food/soup.jpg": photo()}
    assert states(failed) == {"food/soup.jpg": "filed", "failed/a.pdf": "deleted", BILL: "deleted"}


@pytest.mark.parametrize("other", [change, exchange, link])
def test_recovery_keeps_a_file_that_replaced_the_photo(failed: Path, foodsort: Foodsort, other: object) -> None:
    kill_at("begun", *delete(failed, BILL))
    other(failed / BILL)  # type: ignore[operator]
    before = tree(failed)
    run_once(failed, foodsort)
    assert tree(failed) == before
    assert states(failed)[BILL] == "deleted"


def test_a_photo_without_permission_to_delete_stays_failed_with_its_sidecar(failed: Path, foodsort: Foodsort) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    bare = ["--bounding-set=-dac_override,-dac_read_search,-fowner"]
    before = tree(failed)
    (failed / "failed/trip").chmod(0o500)
    command = [*([setpriv, *bare] if setpriv else []), *COMMAND, *map(str, delete(failed, BILL))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (failed / "failed/trip").chmod(0o700)
    assert (done.returncode, done.stderr) == (1, f"foodsort: {BILL} cannot be deleted: Permission denied\n")
    assert tree(failed) == before
    assert states(failed)[BILL] == "failed"
