"""`foodsort undo` and `foodsort retry`, with a running daemon and without."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, mounted, running, tree, until
from tests.daemon.photos import drop, edit_in_new_file, edit_in_place, run_once
from tests.daemon.processes import COMMAND, kill_at, run_command
from tests.daemon.rows import execute, rows, select, states

pytestmark = pytest.mark.slow


@pytest.fixture
def root(root: Path, each_database: None) -> Path:
    """A root whose results are recorded in a database of each kind."""
    return root


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with a photo in food/trip/, one in non_food/trip/ and two failed ones."""
    drop(root, "trip/soup.jpg", photo("food"))
    drop(root, "trip/sea.jpg", photo("non_food"))
    drop(root, "trip/bill.pdf", b"%PDF")
    drop(root, "cut.jpg", photo(size=256)[:1000])
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


@pytest.fixture
def elsewhere(root: Path, elsewhere: Path) -> Path:
    """The parent of the folders for food and failed photos, on another filesystem."""
    (root / "foodsort.toml").write_text(f'[folders]\nfood = "{elsewhere}/food"\nfailed = "{elsewhere}/failed"\n')
    return elsewhere


def names(root: Path) -> set[str]:
    return {name for name in tree(root) if name != "foodsort.toml"}


@pytest.mark.parametrize("words", [("retry",), ("undo", "failed"), ("delete", "--yes", "failed")])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("full", [True, False])
def test_an_action_completes_if_its_output_cannot_be_written(
    root: Path, foodsort: Foodsort, words: tuple[str, ...], stream: str, full: bool
) -> None:
    for number in range(70):  # more than are handled at a time
        drop(root, f"{number}.jpg", f"no picture {number}".encode())
    run_once(root, foodsort)
    (root / "failed/33.jpg").unlink()  # so that there is something to say on stderr
    with open("/dev/full", "wb") as nowhere:
        if not full:
            reads, writes = os.pipe()
            os.close(reads)
            os.dup2(writes, nowhere.fileno())
            os.close(writes)
        stdout, stderr = (nowhere, None) if stream == "stdout" else (None, nowhere)
        done = run_command(*words, "--root", root, output=stdout, errors=stderr)
    assert done.returncode == 1
    assert list(states(root).values()).count("failed") == 1
    printed = done.stderr.splitlines()[-1] if stream == "stdout" else done.stdout.splitlines()[-1]
    assert "69 photos are" in printed or (stream, full) == ("stdout", False)
    assert ("could be printed: No space left on device" in printed) is (full and stream == "stdout")


def test_an_unknown_error_kind_is_refused(sorted_root: Path, foodsort: Foodsort) -> None:
    code, _, err = foodsort("retry", "--root", sorted_root, "--kind", "nonsense")
    assert (code, "truncated" in err) == (2, True)
    assert foodsort("retry", "--root", sorted_root, "--kind", "truncated", "--dry-run")[1].endswith(
        "1 photo would be in the inbox, to be sorted again\n"
    )


def test_undone_photos_stay_in_the_inbox_until_a_retry(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    before = rows(sorted_root)
    code, out, err = foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg", "non_food")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "food/trip/soup.jpg → inbox/trip/soup.jpg",
        "non_food/trip/sea.jpg → inbox/trip/sea.jpg",
        "2 photos are back in the inbox, to stay there until `foodsort retry PATH`",
    ]
    for _ in range(2):
        assert run_once(sorted_root, foodsort).startswith("0 photos sorted")
    failed = {"failed/cut.jpg", "failed/cut.jpg.error.json", "failed/trip/bill.pdf", "failed/trip/bill.pdf.error.json"}
    assert names(sorted_root) - failed == {"inbox/trip/soup.jpg", "inbox/trip/sea.jpg"}
    assert (sorted_root / "inbox/trip/soup.jpg").stat().st_mtime_ns == 10**18 + 1007
    assert states(sorted_root)["inbox/trip/soup.jpg"] == "undone"
    code, out, err = foodsort("retry", "--root", sorted_root, "inbox/trip/soup.jpg")
    assert out.splitlines() == ["inbox/trip/soup.jpg", "1 photo is in the inbox, to be sorted again"]
    assert run_once(sorted_root, foodsort).startswith("1 photo sorted: 1 food")
    assert names(sorted_root) - failed == {"food/trip/soup.jpg", "inbox/trip/sea.jpg"}
    assert [row["id"] for row in rows(sorted_root)] == [row["id"] for row in before]
    soup = next(row for row in rows(sorted_root) if row["name"] == "soup.jpg")
    assert (soup["state"], soup["attempts"], soup["path"]) == ("filed", 2, "food/trip/soup.jpg")


def test_the_row_of_an_undone_photo_that_was_renamed_in_the_inbox_follows_it(
    sorted_root: Path, foodsort: Foodsort
) -> None:
    foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg")
    (sorted_root / "inbox/trip/soup.jpg").rename(sorted_root / "inbox/lunch.jpg")
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")
    (row,) = (row for row in rows(sorted_root) if row["state"] == "undone")
    assert (row["path"], row["inbox_path"], row["name"]) == ("inbox/lunch.jpg", "lunch.jpg", "lunch.jpg")
    assert foodsort("retry", "--root", sorted_root, "inbox/lunch.jpg")[0] == 0
    run_once(sorted_root, foodsort)
    assert states(sorted_root)["food/lunch.jpg"] == "filed"


def test_a_running_daemon_ignores_undone_photos_until_a_retry(
    sorted_root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    soup = sorted_root / "inbox/trip/soup.jpg"
    with running(sorted_root) as daemon:
        assert foodsort("undo", "--root", sorted_root, "food", "non_food")[0] == 0
        assert soup.exists()
        # Each of these is sorted only after a scan of the inbox that also found the undone photos.
        for number in range(3):
            drop(sorted_root, f"trip/{number}.jpg", photo(shade=number + 1))
            until(lambda number=number: (sorted_root / f"food/trip/{number}.jpg").exists(), daemon)  # type: ignore[misc]
    undone = {path for path, state in states(sorted_root).items() if state == "undone"}
    assert "inbox/trip/soup.jpg" in undone
    # Without a rescan only the command can notify the daemon.
    monkeypatch.setenv("FOODSORT_WATCH__RESCAN_S", "3600")
    with running(sorted_root) as daemon:
        drop(sorted_root, "later.jpg", photo(shade=9))
        until((sorted_root / "food/later.jpg").exists, daemon)
        assert soup.exists()
        assert foodsort("retry", "--root", sorted_root, "inbox/trip/soup.jpg")[0] == 0
        until((sorted_root / "food/trip/soup.jpg").exists, daemon)
    assert undone - {"inbox/trip/soup.jpg"} < set(states(sorted_root))
    assert states(sorted_root)["food/trip/soup.jpg"] == "filed"


@pytest.mark.system
def test_undo_and_retry_work_on_overlayfs(root: Path, tmp_path: Path, photo: Photo, foodsort: Foodsort) -> None:
    """The filesystem of containers."""
    with mounted(tmp_path / "layers") as layers:
        for name in ("upper", "work"):
            (layers / name).mkdir()
        options = f"lowerdir={root},upperdir={layers}/upper,workdir={layers}/work"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
        if subprocess.run(mount, check=False).returncode:
            pytest.skip("this kernel mounts no overlayfs here")
        try:
            drop(root, "soup.jpg", photo())
            run_once(root, foodsort)
            assert foodsort("undo", "--root", root, "--last")[0] == 0
            assert run_once(root, foodsort).startswith("0 photos sorted")
            assert names(root) == {"inbox/soup.jpg"}
            assert foodsort("retry", "--root", root, "inbox/soup.jpg")[0] == 0
            assert run_once(root, foodsort).startswith("1 photo sorted")
            assert [row["state"] for row in rows(root)] == ["filed"]
        finally:
            subprocess.run(["umount", "-l", root], check=True)


def test_a_dry_run_skips_undone_photos_and_writes_nothing(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg")
    drop(sorted_root, "new.jpg", photo(shade=7))
    before = content(sorted_root)
    code, out, err = foodsort("run", "--root", sorted_root, "--dry-run")
    assert (code, out.split(":")[0]) == (0, "1 photo would be sorted")
    assert "to=food/new.jpg" in err
    assert content(sorted_root) == before


def test_a_changed_or_replaced_undone_photo_is_a_new_photo(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    foodsort("undo", "--root", sorted_root, "food", "non_food")
    (sorted_root / "inbox/trip/soup.jpg").write_bytes(photo("non_food", 7))
    (sorted_root / "inbox/trip/new.jpg").write_bytes(photo("food", 8))
    (sorted_root / "inbox/trip/new.jpg").rename(sorted_root / "inbox/trip/sea.jpg")
    assert run_once(sorted_root, foodsort).startswith("2 photos sorted: 1 food, 1 non_food")
    assert len(rows(sorted_root)) == 6
    code, _, err = foodsort("retry", "--root", sorted_root, "inbox/trip")
    assert code == 1
    assert "inbox/trip/sea.jpg is no longer there or was changed there" in err


def test_an_undone_photo_is_recognised_by_its_path_after_a_change_of_the_device_number(
    sorted_root: Path, foodsort: Foodsort
) -> None:
    foodsort("undo", "--root", sorted_root, "food")
    execute(sorted_root, "UPDATE photos SET identity = '999999:1' WHERE state = 'undone'")
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")
    assert select(sorted_root, "SELECT 1 FROM photos WHERE identity = '999999:1'") == []


def test_last_undoes_the_last_batch_and_then_the_one_before(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade in range(2):
        drop(root, f"{shade}.jpg", photo(shade=shade))
        run_once(root, foodsort)
    assert foodsort("undo", "--root", root, "--last", "--dry-run")[1].splitlines() == [
        "food/1.jpg → inbox/1.jpg",
        "1 photo would be back in the inbox, to stay there until `foodsort retry PATH`",
    ]
    assert set(tree(root)) == {"food/0.jpg", "food/1.jpg"}
    foodsort("undo", "--root", root, "--last")
    assert set(tree(root)) == {"food/0.jpg", "inbox/1.jpg"}
    foodsort("undo", "--root", root, "--last")
    assert set(tree(root)) == {"inbox/0.jpg", "inbox/1.jpg"}


def test_since_undoes_photos_filed_from_a_time_on(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade in range(2):
        drop(root, f"{shade}.jpg", photo(shade=shade))
        run_once(root, foodsort)
    assert foodsort("undo", "--root", root, "--since", rows(root)[1]["filed_at"])[0] == 0
    assert set(tree(root)) == {"food/0.jpg", "inbox/1.jpg"}


def test_failed_photos_are_tried_again_and_keep_their_rows(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    before = {row["name"]: row for row in rows(sorted_root)}
    _, out, _ = foodsort("retry", "--root", sorted_root, "--kind", "truncated")
    assert out.splitlines() == ["failed/cut.jpg → inbox/cut.jpg", "1 photo is in the inbox, to be sorted again"]
    assert {"inbox/cut.jpg", "failed/trip/bill.pdf.error.json"} < names(sorted_root)
    assert "failed/cut.jpg.error.json" not in names(sorted_root)
    assert states(sorted_root)["inbox/cut.jpg"] == "retry"
    (sorted_root / "inbox/cut.jpg").write_bytes(photo(size=256))  # repaired in place
    run_once(sorted_root, foodsort)
    foodsort("retry", "--root", sorted_root)
    run_once(sorted_root, foodsort)
    after = {row["name"]: row for row in rows(sorted_root)}
    assert {name: row["id"] for name, row in after.items()} == {name: row["id"] for name, row in before.items()}
    cut, bill = after["cut.jpg"], after["bill.pdf"]
    assert (cut["state"], cut["path"], cut["attempts"], cut["error_kind"]) == ("filed", "food/cut.jpg", 2, None)
    assert (bill["state"], bill["path"], bill["attempts"]) == ("failed", "failed/trip/bill.pdf", 2)
    sidecar = json.loads((sorted_root / "failed/trip/bill.pdf.error.json").read_text())
    assert sidecar["attempts"] == 2
    assert sidecar["first_failed_at"] == before["bill.pdf"]["first_failed_at"] < sidecar["last_failed_at"]


def test_retry_works_while_a_daemon_is_running(sorted_root: Path, foodsort: Foodsort) -> None:
    with running(sorted_root) as daemon:
        for tries in range(2, 5):
            assert foodsort("retry", "--root", sorted_root)[0] == 0
            until(lambda tries=tries: _tries(sorted_root) == {tries}, daemon)  # type: ignore[misc]
            until(lambda: list(states(sorted_root).values()).count("failed") == 2, daemon)
    assert len(rows(sorted_root)) == 4
    assert {"failed/cut.jpg.error.json", "failed/trip/bill.pdf.error.json"} < names(sorted_root)
    assert len(names(sorted_root)) == 6


def test_undo_uses_another_name_if_the_old_one_is_taken(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (sorted_root / "foodsort.toml").write_text('[watch]\nignore = ["soup.jpg"]\n')
    drop(sorted_root, "trip/soup.jpg", b"another one")
    _, out, _ = foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg")
    assert out.startswith("food/trip/soup.jpg → inbox/trip/soup (2).jpg\n")
    assert (sorted_root / "inbox/trip/soup.jpg").read_bytes() == b"another one"
    assert (sorted_root / "inbox/trip/soup (2).jpg").read_bytes() == photo("food")
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")


@pytest.mark.parametrize("form", ["shown", "relative to the root", "absolute", "in the working folder"])
def test_a_photo_can_be_named_in_every_form(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    name = os.fsdecode(b"new\nline \xe9\\x41.jpg")
    (root / "inbox" / name).write_bytes(photo())
    run_once(root, foodsort)
    words = {
        "shown": rows(root)[0]["path"],
        "relative to the root": f"food/{name}",
        "absolute": str(root / "food" / name),
        "in the working folder": name,
    }
    assert words["shown"] == r"food/new\x0aline \xe9\x5cx41.jpg"
    monkeypatch.chdir(root / "food")
    code, out, err = foodsort("undo", "--root", root, words[form])
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == r"food/new\x0aline \xe9\x5cx41.jpg → inbox/new\x0aline \xe9\x5cx41.jpg"
    assert (root / "inbox" / name).read_bytes() == photo()


def test_photos_that_cannot_be_undone_are_reported_and_the_others_are_undone(
    sorted_root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    (sorted_root / "non_food/trip/sea.jpg").unlink()
    code, out, err = foodsort("undo", "--root", sorted_root, "food", "non_food", "nowhere.jpg")
    assert code == 1
    assert out.splitlines()[-1].startswith("1 photo is back in the inbox")
    assert out.endswith("; 2 could not be moved\n")
    assert err.splitlines() == [
        "foodsort: nowhere.jpg: the database has no photo at this path; `foodsort results` shows where each photo is",
        "foodsort: non_food/trip/sea.jpg is no longer there",
    ]
    (sorted_root / "non_food/trip/sea.jpg").symlink_to("elsewhere.jpg")
    assert "is no longer the photo that was put there" in foodsort("undo", "--root", sorted_root, "non_food")[2]
    assert "is in the inbox already" in foodsort("undo", "--root", sorted_root, "inbox/trip/soup.jpg")[2]
    err = foodsort("retry", "--root", sorted_root, "non_food/trip/sea.jpg")[2]
    assert "`foodsort undo` moves it back to the inbox first" in err
    assert "there is no batch 99" in foodsort("undo", "--root", sorted_root, "--batch", "99")[2]
    assert foodsort("undo", "--root", sorted_root)[0] == 2
    assert foodsort("undo", "--root", sorted_root, "--last", "food")[0] == 2


@pytest.mark.parametrize("point", ["begun", "taken", "arrived", "arrived:2"])
@pytest.mark.parametrize("next_", ["run", "undo"])
def test_the_next_command_completes_a_killed_undo(
    sorted_root: Path, photo: Photo, foodsort: Foodsort, point: str, next_: str
) -> None:
    kill_at(point, "undo", "--root", sorted_root, "food", "non_food", "failed")
    words = ["run", "--once"] if next_ == "run" else ["undo", "--since", "2100-01-01"]
    assert foodsort(words[0], "--root", sorted_root, *words[1:])[0] == 0
    expected = {
        "inbox/trip/soup.jpg": photo("food"),
        "inbox/trip/sea.jpg": photo("non_food"),
        "inbox/trip/bill.pdf": b"%PDF",
        "inbox/cut.jpg": photo(size=256)[:1000],
    }
    assert tree(sorted_root) == expected
    assert states(sorted_root) == dict.fromkeys(expected, "undone")
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")


@pytest.mark.parametrize("point", ["begun", "taken", "arrived"])
def test_the_next_run_completes_a_killed_retry(sorted_root: Path, foodsort: Foodsort, point: str) -> None:
    before = names(sorted_root)
    kill_at(point, "retry", "--root", sorted_root)
    run_once(sorted_root, foodsort)
    assert names(sorted_root) == before
    assert len(rows(sorted_root)) == 4
    assert {(row["state"], row["attempts"]) for row in rows(sorted_root) if row["error_kind"]} == {("failed", 2)}


@pytest.mark.parametrize("point", ["", "begun", "taken", "copied", "named", "arrived"])
def test_undo_moves_a_photo_from_another_filesystem(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    drop(root, "soup.jpg", photo("food"))
    drop(root, "bill.pdf", b"%PDF")
    run_once(root, foodsort)
    (elsewhere / "food/soup.jpg").chmod(0o640)
    words = ("undo", "--root", root, elsewhere / "food/soup.jpg")
    if point:
        kill_at(point, *words)
    else:
        assert foodsort(*words)[0] == 0
    assert run_once(root, foodsort).startswith("0 photos sorted")
    soup = root / "inbox/soup.jpg"
    assert soup.read_bytes() == photo("food")
    assert (soup.stat().st_mtime_ns, soup.stat().st_mode & 0o777) == (10**18 + 1007, 0o640)
    assert list((elsewhere / "food").iterdir()) == []
    assert [path.name for path in (root / "inbox").glob(".*")] == [".foodsort"]
    foodsort("retry", "--root", root)
    foodsort("retry", "--root", root, soup)
    assert run_once(root, foodsort).startswith("2 photos sorted: 1 food, 0 non_food, 1 failed")
    assert len(rows(root)) == 2
    assert {path.name for path in elsewhere.rglob("*.*")} == {"soup.jpg", "bill.pdf", "bill.pdf.error.json"}


def test_a_copy_in_the_place_of_an_undone_photo_is_a_new_photo(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort
) -> None:
    drop(root, "soup.jpg", photo())
    run_once(root, foodsort)
    with running(root) as daemon:
        kill_at("arrived", "undo", "--root", root, elsewhere / "food/soup.jpg")
        (root / "inbox/soup.jpg").rename(root / "inbox/aside.jpg")
        drop(root, "soup.jpg", photo())
        until((elsewhere / "food/soup.jpg").exists, daemon)
        (root / "inbox/aside.jpg").rename(root / "inbox/soup.jpg")
        until(lambda: list(states(root).values()).count("filed") == 1, daemon)
    run_once(root, foodsort)
    assert (elsewhere / "food/soup.jpg").read_bytes() == (root / "inbox/soup.jpg").read_bytes() == photo()
    assert states(root) == {f"{elsewhere}/food/soup.jpg": "filed", "inbox/soup.jpg": "undone"}


def test_two_concurrent_undos_move_each_photo_once(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    photos = {f"{index}.jpg": photo(shade=index) for index in range(150)}
    for name, data in photos.items():
        drop(root, name, data)
    run_once(root, foodsort)
    command = [*COMMAND, "undo", "--root", str(root), "food"]
    calls = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [call.communicate(timeout=60) for call in calls]
    assert sorted(call.returncode for call in calls) == [0, 1], printed
    assert sum(out.count("→") for out, _ in printed) == 150
    assert tree(root) == {f"inbox/{name}": data for name, data in photos.items()}
    assert set(states(root).values()) == {"undone"}


def test_another_user_gets_the_name_of_the_right_user(sorted_root: Path) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("this needs root, to become another user, and setpriv (util-linux)")
    for path in (sorted_root, *sorted_root.rglob("*")):
        os.chown(path, 12345, 12345)
    command = [*COMMAND, "undo", "--root", str(sorted_root), "food"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "foodsort: the user #12345 sorts photos here; run this as that user: sudo -u '#12345' foodsort …\n"
    )


def test_a_photo_without_permission_to_move_is_reported_and_stays(sorted_root: Path, photo: Photo) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    bare = ["--bounding-set=-dac_override,-dac_read_search,-fowner"]
    command = [*([setpriv, *bare] if setpriv else []), *COMMAND, "undo", "--root", str(sorted_root), "food", "non_food"]
    (sorted_root / "food/trip").chmod(0o500)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (sorted_root / "food/trip").chmod(0o700)
    assert done.returncode == 1
    assert done.stderr == "foodsort: food/trip/soup.jpg cannot be moved: Permission denied\n"
    assert (sorted_root / "food/trip/soup.jpg").read_bytes() == photo("food")
    assert states(sorted_root)["food/trip/soup.jpg"] == "filed"


def content(root: Path) -> object:
    """The content of the database: the bytes of its file, or the rows on a server."""
    file = root / "foodsort.db"
    return (
        file.read_bytes() if file.exists() else [select(root, f"SELECT * FROM {name}") for name in ("photos", "events")]
    )


def _tries(root: Path) -> set[int]:
    return {row["attempts"] for row in rows(root) if row["error_kind"]}


@pytest.mark.parametrize("edit", [edit_in_place, edit_in_new_file])
def test_a_photo_that_was_edited_at_its_place_is_undone_and_tried_again(
    sorted_root: Path, foodsort: Foodsort, edit: Callable[[Path, bytes], bytes]
) -> None:
    edited = edit(sorted_root / "food/trip/soup.jpg", b"five stars")
    code, _, err = foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg")
    assert (code, err) == (0, "")
    assert (sorted_root / "inbox/trip/soup.jpg").read_bytes() == edited
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")
    (row,) = (row for row in rows(sorted_root) if row["name"] == "soup.jpg")
    assert (row["sha256"], row["state"]) == (hashlib.sha256(edited).hexdigest(), "undone")
    assert foodsort("retry", "--root", sorted_root, "inbox/trip/soup.jpg")[0] == 0
    assert run_once(sorted_root, foodsort).startswith("1 photo sorted: 1 food")
    assert len(rows(sorted_root)) == 4


def test_a_photo_with_a_row_at_the_place_of_another_is_not_taken_for_that(
    sorted_root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__DRAGS", "false")  # else the row of the other photo follows it
    (sorted_root / "non_food/trip/sea.jpg").replace(sorted_root / "food/trip/soup.jpg")
    before = names(sorted_root)
    err = foodsort("undo", "--root", sorted_root, "food/trip/soup.jpg")[2]
    assert err == "foodsort: food/trip/soup.jpg is no longer the photo that was put there\n"
    assert names(sorted_root) == before
