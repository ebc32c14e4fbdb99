"""`foodsort correct`, with a running daemon and without."""

import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.failpoints import VARIABLE
from daemon.photo import FILED, State
from daemon.queries.explanations import WHY_NOT_LABELLED
from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.photos import drop, edit_in_new_file, edit_in_place, photos, run_once
from tests.daemon.processes import COMMAND, kill_at
from tests.daemon.rows import execute, labels, row, rows, states

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with a photo in food/trip/, one in non_food/trip/ and a failed one."""
    drop(root, "trip/soup.jpg", photo("food"))
    drop(root, "trip/sea.jpg", photo("non_food"))
    drop(root, "bill.pdf", b"%PDF")
    run_once(root, foodsort)
    return root


@pytest.fixture
def elsewhere(root: Path, elsewhere: Path) -> Path:
    """The folder for food, on another filesystem."""
    (root / "foodsort.toml").write_text(f'[folders]\nfood = "{elsewhere}/food"\n')
    return elsewhere


def test_a_photo_moves_to_the_folder_of_its_label_and_back(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    before = row(sorted_root, "soup.jpg")
    code, out, err = foodsort("correct", "--root", sorted_root, "food/trip/soup.jpg", "--label", "non_food")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "food/trip/soup.jpg → non_food/trip/soup.jpg",
        "1 photo is labelled non_food by a person",
    ]
    assert photos(sorted_root) == {"non_food/trip/sea.jpg": photo("non_food"), "non_food/trip/soup.jpg": photo("food")}
    assert (sorted_root / "non_food/trip/soup.jpg").stat().st_mtime_ns == 10**18 + 1007
    after = row(sorted_root, "soup.jpg")
    changed = {"path", "label", "corrected_label", "filed_at", "reviewed_at"}
    assert {name for name in before if before[name] != after[name]} == changed
    assert (after["path"], after["label"], after["predicted_label"], after["corrected_label"], after["state"]) == (
        *("non_food/trip/soup.jpg", "non_food", "food", "non_food", "filed"),
    )
    assert foodsort("correct", "--root", sorted_root, "non_food/trip/soup.jpg", "--label", "food")[0] == 0
    assert labels(sorted_root) == ["non_food", "food"]
    assert row(sorted_root, "soup.jpg")["path"] == "food/trip/soup.jpg"
    assert run_once(sorted_root, foodsort).startswith("0 photos sorted")


def test_a_label_equal_to_the_current_one_is_recorded_without_a_move(sorted_root: Path, foodsort: Foodsort) -> None:
    before = tree(sorted_root)
    for _ in range(2):
        code, out, _ = foodsort("correct", "--root", sorted_root, "food", "--label", "food")
        assert (code, out.splitlines()[0]) == (0, "food/trip/soup.jpg")
    assert tree(sorted_root) == before
    assert labels(sorted_root) == ["food", "food"]
    assert row(sorted_root, "soup.jpg")["corrected_label"] == "food"
    assert row(sorted_root, "sea.jpg")["corrected_label"] is None


@pytest.mark.parametrize("folder", ["unsure", ""])
def test_an_unsure_photo_moves_to_the_folder_of_its_label(
    root: Path, photo: Photo, foodsort: Foodsort, folder: str
) -> None:
    (root / "foodsort.toml").write_text(f'[folders]\nunsure = "{folder}"\n')
    drop(root, "a.jpg", photo())
    run_once(root, foodsort)
    path = f"{folder or 'non_food'}/a.jpg"
    (root / path).parent.mkdir(exist_ok=True)
    (root / "food/a.jpg").rename(root / path)
    execute(root, f"UPDATE photos SET predicted_label = 'unsure', path = '{path}', path_bytes = CAST('{path}' AS BLOB)")
    assert foodsort("correct", "--root", root, path, "--label", "non_food")[0] == 0
    assert photos(root) == {"non_food/a.jpg": photo()}
    assert (row(root, "a.jpg")["path"], row(root, "a.jpg")["label"]) == ("non_food/a.jpg", "non_food")


def test_correct_works_while_a_daemon_is_running(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    with running(root) as daemon:
        drop(root, "soup.jpg", photo())
        until(lambda: states(root).get("food/soup.jpg") == "filed", daemon)
        assert foodsort("correct", "--root", root, "food/soup.jpg", "--label", "non_food")[0] == 0
        # Each batch looks up people's labels, so the next copy gets this one.
        drop(root, "again.jpg", photo())
        until(lambda: states(root).get("non_food/again.jpg") == "filed", daemon)
    assert photos(root) == {"non_food/soup.jpg": photo(), "non_food/again.jpg": photo()}


def test_correct_never_overwrites_another_file(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    taken = sorted_root / "non_food/trip/soup.jpg"
    taken.write_bytes(b"somebody's")
    _, out, _ = foodsort("correct", "--root", sorted_root, "food", "--label", "non_food", "--dry-run")
    assert out.splitlines()[0] == "food/trip/soup.jpg → non_food/trip/soup (2).jpg"
    assert (row(sorted_root, "soup.jpg")["path"], labels(sorted_root)) == ("food/trip/soup.jpg", [])
    assert foodsort("correct", "--root", sorted_root, "food", "--label", "non_food")[1].startswith(out.splitlines()[0])
    assert taken.read_bytes() == b"somebody's"
    assert row(sorted_root, "soup (2).jpg")["path"] == "non_food/trip/soup (2).jpg"


def test_two_photos_of_one_name_get_different_names(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "foodsort.toml").write_text('[folders]\nunsure = "unsure"\n')
    for folder, shade in (("food", 1), ("unsure", 2)):
        drop(root, "a.jpg", photo(shade=shade))
        run_once(root, foodsort)
        if folder == "unsure":
            (root / "unsure").mkdir(exist_ok=True)
            (root / "food/a (2).jpg").rename(root / "unsure/a.jpg")
            execute(root, "UPDATE photos SET path_bytes = CAST('unsure/a.jpg' AS BLOB), name = 'a.jpg' WHERE id = 2")
    assert foodsort("correct", "--root", root, "food", "unsure", "--label", "non_food")[0] == 0
    assert photos(root) == {"non_food/a.jpg": photo(shade=1), "non_food/a (2).jpg": photo(shade=2)}


@pytest.mark.parametrize("form", ["shown", "relative to the root", "absolute", "stdin"])
def test_a_photo_can_be_named_in_every_form(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    name = os.fsdecode(b"-odd \xe9\\x41.jpg")
    (root / "inbox" / name).write_bytes(photo())
    run_once(root, foodsort)
    words = {"shown": rows(root)[0]["path"], "relative to the root": f"food/{name}", "absolute": f"{root}/food/{name}"}
    lines = io.TextIOWrapper(io.BytesIO(os.fsencode(f"food/{name}\n")))
    monkeypatch.setattr("sys.stdin", lines)
    code, _, err = foodsort("correct", "--root", root, "--label", "non_food", words.get(form, "-"))
    assert (code, err) == (0, "")
    assert (root / "non_food" / name).read_bytes() == photo()
    assert rows(root)[0]["path"] == r"non_food/-odd \xe9\x5cx41.jpg"


def test_photos_that_cannot_be_labelled_are_reported_and_the_others_are_labelled(
    sorted_root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    (sorted_root / "non_food/trip/sea.jpg").unlink()
    drop(sorted_root, "new.jpg", photo(shade=3))
    words = ("food", "non_food", "failed/bill.pdf", "inbox/new.jpg")
    code, out, err = foodsort("correct", "--root", sorted_root, "--label", "non_food", *words)
    assert code == 1
    assert out.splitlines()[-1] == "1 photo is labelled non_food by a person; 3 could not be labelled"
    assert err.splitlines() == [
        f"foodsort: failed/bill.pdf: {WHY_NOT_LABELLED['failed']}",
        "foodsort: inbox/new.jpg: the database has no photo at this path; `foodsort results` shows where each photo is",
        "foodsort: non_food/trip/sea.jpg is no longer there",
    ]
    assert labels(sorted_root) == ["non_food"]
    (sorted_root / "non_food/trip/soup.jpg").unlink()
    (sorted_root / "non_food/trip/soup.jpg").symlink_to("elsewhere.jpg")
    err = foodsort("correct", "--root", sorted_root, "non_food/trip/soup.jpg", "--label", "food")[2]
    assert err == "foodsort: non_food/trip/soup.jpg is no longer the photo that was put there\n"
    assert labels(sorted_root) == ["non_food"]
    assert foodsort("correct", "--root", sorted_root, "food")[0] == 2
    assert foodsort("correct", "--root", sorted_root, "food", "--label", "unsure")[0] == 2


def test_every_state_but_filed_has_a_reason_against_labels() -> None:
    states: set[str] = set(State.__args__)  # type: ignore[attr-defined]
    assert set(WHY_NOT_LABELLED) | {FILED} == states


def test_a_label_outlasts_undo_and_retry(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    soup = ("correct", "--root", sorted_root, "--label", "non_food")
    assert foodsort(*soup, "food/trip/soup.jpg")[0] == 0
    assert foodsort("undo", "--root", sorted_root, "non_food/trip/soup.jpg")[0] == 0
    assert (sorted_root / "inbox/trip/soup.jpg").read_bytes() == photo()
    code, _, err = foodsort(*soup, "inbox/trip/soup.jpg")
    assert (code, err) == (1, f"foodsort: inbox/trip/soup.jpg: {WHY_NOT_LABELLED['undone']}\n")
    assert foodsort("retry", "--root", sorted_root, "inbox/trip/soup.jpg")[0] == 0
    run_once(sorted_root, foodsort)
    # A person's label outlasts sorting the photo again.
    assert row(sorted_root, "soup.jpg")["path"] == "non_food/trip/soup.jpg"
    assert foodsort("correct", "--root", sorted_root, "--label", "food", "non_food/trip/soup.jpg")[0] == 0
    assert row(sorted_root, "soup.jpg")["path"] == "food/trip/soup.jpg"
    assert labels(sorted_root) == ["non_food", "food"]


def test_a_path_means_the_photo_that_was_filed_there_last(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade, label in ((1, "food"), (2, "non_food")):
        drop(root, "a.jpg", photo(label, shade))
        run_once(root, foodsort)
    (root / "non_food/a.jpg").unlink()
    assert foodsort("correct", "--root", root, "food/a.jpg", "--label", "non_food")[0] == 0
    assert foodsort("undo", "--root", root, "non_food/a.jpg")[0] == 0
    assert photos(root) == {"inbox/a.jpg": photo("food", 1)}


@pytest.mark.parametrize("point", ["begun", "taken", "arrived", "arrived:2"])
@pytest.mark.parametrize("next_", ["run", "undo", "correct"])
def test_the_next_command_completes_a_killed_correct(
    sorted_root: Path, photo: Photo, foodsort: Foodsort, point: str, next_: str
) -> None:
    drop(sorted_root, "trip/more.jpg", photo(shade=5))
    run_once(sorted_root, foodsort)
    (sorted_root / "non_food/trip/more.jpg").write_bytes(b"somebody's")
    kill_at(point, "correct", "--root", sorted_root, "food", "--label", "non_food")
    words = {
        "run": ("run", "--once"),
        "undo": ("undo", "--since", "2100-01-01"),
        "correct": ("correct", "--label", "non_food", "non_food/trip/soup.jpg"),
    }[next_]
    code, out, err = foodsort(words[0], "--root", sorted_root, *words[1:])
    assert code == 0, err
    if next_ == "correct":
        assert out.splitlines()[-1] == "1 photo is labelled non_food by a person"
    assert photos(sorted_root) == {
        "non_food/trip/soup.jpg": photo(),
        "non_food/trip/more (2).jpg": photo(shade=5),
        "non_food/trip/more.jpg": b"somebody's",
        "non_food/trip/sea.jpg": photo("non_food"),
    }
    assert {row["path"]: (row["state"], row["label"]) for row in rows(sorted_root) if row["label"]} == {
        "non_food/trip/soup.jpg": ("filed", "non_food"),
        "non_food/trip/more (2).jpg": ("filed", "non_food"),
        "non_food/trip/sea.jpg": ("filed", "non_food"),
    }


def test_recovery_uses_another_name_if_the_target_was_taken(
    sorted_root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    kill_at("begun", "correct", "--root", sorted_root, "food", "--label", "non_food")
    (sorted_root / "non_food/trip/soup.jpg").write_bytes(photo())  # the same bytes, and not the photo
    run_once(sorted_root, foodsort)
    assert row(sorted_root, "soup (2).jpg")["path"] == "non_food/trip/soup (2).jpg"
    assert len([path for path in photos(sorted_root) if "soup" in path]) == 2


def test_recovery_keeps_a_copy_at_the_old_path(sorted_root: Path, photo: Photo, foodsort: Foodsort) -> None:
    kill_at("arrived", "correct", "--root", sorted_root, "food", "--label", "non_food")
    (sorted_root / "food/trip/soup.jpg").write_bytes(photo())
    run_once(sorted_root, foodsort)
    assert row(sorted_root, "soup.jpg")["state"] == "filed"
    assert [path for path in photos(sorted_root) if "soup" in path] == ["food/trip/soup.jpg", "non_food/trip/soup.jpg"]


def test_recovery_marks_a_removed_photo_as_missing(sorted_root: Path, foodsort: Foodsort) -> None:
    kill_at("begun", "correct", "--root", sorted_root, "food", "--label", "non_food")
    (sorted_root / "food/trip/soup.jpg").unlink()
    code, _, err = foodsort("undo", "--root", sorted_root, "--since", "2100-01-01")
    assert code == 1
    assert err == "foodsort: food/trip/soup.jpg was taken away by another program while it was being moved\n"
    assert row(sorted_root, "soup.jpg")["state"] == "missing"


@pytest.mark.parametrize("point", ["", "begun", "taken", "copied", "named", "arrived"])
@pytest.mark.parametrize("label", ["food", "non_food"])
def test_correct_moves_a_photo_between_filesystems(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, point: str, label: str
) -> None:
    drop(root, "a.jpg", photo("food" if label == "non_food" else "non_food"))
    run_once(root, foodsort)
    places = {"food": elsewhere / "food/a.jpg", "non_food": root / "non_food/a.jpg"}
    goal = places.pop(label)
    (source,) = places.values()
    source.chmod(0o640)
    words = ("correct", "--root", root, source, "--label", label)
    if point:
        kill_at(point, *words)
    else:
        assert foodsort(*words)[0] == 0
    assert run_once(root, foodsort).startswith("0 photos sorted")
    assert (goal.exists(), source.exists()) == (True, False)
    assert (goal.stat().st_mtime_ns, goal.stat().st_mode & 0o777) == (10**18 + 1007, 0o640)
    assert [path.name for path in goal.parent.iterdir()] == ["a.jpg"]
    assert [(row["state"], row["label"], root / row["path"]) for row in rows(root)] == [("filed", label, goal)]


def test_no_other_process_changes_a_photo_during_a_correct(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "foodsort.toml").write_text('[images]\nduplicates = "skip"\n')
    drop(root, "a.jpg", photo())
    run_once(root, foodsort)
    words = [*COMMAND, "correct", "--root", str(root), "food", "--label", "non_food"]
    with subprocess.Popen(words, env=os.environ | {VARIABLE: "begun:1:hang"}) as call:
        try:
            until(lambda: states(root) == {"non_food/a.jpg": "correcting"})
            drop(root, "b.jpg", photo())
            run_once(root, foodsort)
            assert states(root) == {"non_food/a.jpg": "correcting", "duplicates/b.jpg": "duplicate"}
            assert foodsort("undo", "--root", root, "non_food/a.jpg", "--dry-run")[2].endswith(
                "try again in a moment\n"
            )
            assert foodsort("export", "--root", root, "--out", root.parent / "data")[0] == 0  # the copy
        finally:
            call.kill()
    run_once(root, foodsort)
    assert photos(root) == {"non_food/a.jpg": photo(), "duplicates/b.jpg": photo()}


def test_a_photo_without_permission_to_move_keeps_its_label_and_place(sorted_root: Path, foodsort: Foodsort) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    bare = ["--bounding-set=-dac_override,-dac_read_search,-fowner"]
    words = ["correct", "--root", str(sorted_root), "food", "non_food", "--label", "non_food"]
    (sorted_root / "food/trip").chmod(0o500)
    command = [*([setpriv, *bare] if setpriv else []), *COMMAND, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (sorted_root / "food/trip").chmod(0o700)
    assert (done.returncode, done.stderr) == (1, "foodsort: food/trip/soup.jpg cannot be moved: Permission denied\n")
    soup = row(sorted_root, "soup.jpg")
    assert (soup["path"], soup["state"], soup["corrected_label"]) == ("food/trip/soup.jpg", "filed", None)
    assert labels(sorted_root) == ["non_food"]
    assert foodsort(*words)[0] == 0
    assert row(sorted_root, "soup.jpg")["path"] == "non_food/trip/soup.jpg"


def test_a_duplicate_cannot_be_labelled(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "foodsort.toml").write_text('[images]\nduplicates = "skip"\n')
    for name in ("a.jpg", "b.jpg"):
        drop(root, name, photo())
        run_once(root, foodsort)
    code, _, err = foodsort("correct", "--root", root, "duplicates/b.jpg", "--label", "non_food")
    assert (code, err) == (1, f"foodsort: duplicates/b.jpg: {WHY_NOT_LABELLED['duplicate']}\n")
    assert labels(root) == []


@pytest.mark.parametrize("edit", [edit_in_place, edit_in_new_file])
@pytest.mark.parametrize("label", ["food", "non_food"])
def test_a_photo_that_was_edited_at_its_place_is_labelled(
    sorted_root: Path, foodsort: Foodsort, edit: Callable[[Path, bytes], bytes], label: str
) -> None:
    edited = edit(sorted_root / "food/trip/soup.jpg", b"five stars")
    code, _, err = foodsort("correct", "--root", sorted_root, "food/trip/soup.jpg", "--label", label)
    assert (code, err) == (0, "")
    assert (sorted_root / f"{label}/trip/soup.jpg").read_bytes() == edited
    assert row(sorted_root, "soup.jpg")["sha256"] == hashlib.sha256(edited).hexdigest()
    assert labels(sorted_root) == [label]
    assert foodsort("undo", "--root", sorted_root, f"{label}/trip/soup.jpg")[0] == 0
