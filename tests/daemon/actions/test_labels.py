"""`foodsort correct --withdraw`: removal of a person's newest label."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.actions.correct import NO_PERSON_LABEL
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.photos import drop, photos, run_once
from tests.daemon.processes import COMMAND, kill_at
from tests.daemon.rows import execute, labels, row, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def corrected(root: Path, each_database: None, photo: Photo, foodsort: Foodsort) -> Path:
    """A root whose photo of food a person labelled non_food, with a database of each kind."""
    drop(root, "trip/soup.jpg", photo())
    drop(root, "sea.jpg", photo("non_food"))
    run_once(root, foodsort)
    assert foodsort("correct", "--root", root, "food", "--label", "non_food")[0] == 0
    return root


def test_withdraw_moves_the_photo_to_the_folder_of_the_models_label(
    corrected: Path, photo: Photo, foodsort: Foodsort
) -> None:
    _, out, _ = foodsort("correct", "--root", corrected, "non_food/trip", "--withdraw", "--dry-run")
    assert out.splitlines() == [
        "non_food/trip/soup.jpg → food/trip/soup.jpg",
        "1 photo would be without the newest label by a person",
    ]
    assert labels(corrected) == ["non_food"]
    code, out, err = foodsort("correct", "--root", corrected, "non_food/trip", "--withdraw")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "non_food/trip/soup.jpg → food/trip/soup.jpg",
        "1 photo is without the newest label by a person",
    ]
    assert photos(corrected) == {"food/trip/soup.jpg": photo(), "non_food/sea.jpg": photo("non_food")}
    soup = row(corrected, "soup.jpg")
    assert (soup["label"], soup["corrected_label"], soup["state"]) == ("food", None, "filed")
    assert labels(corrected) == []


def test_withdraw_restores_the_earlier_label_of_a_person(corrected: Path, photo: Photo, foodsort: Foodsort) -> None:
    for label in ("food", "food", "non_food"):
        assert foodsort("correct", "--root", corrected, "food", "non_food/trip", "--label", label)[0] in {0, 1}
    assert labels(corrected) == ["non_food", "food", "food", "non_food"]
    places = []
    while labels(corrected):
        words = [path for path in photos(corrected) if "soup" in path]
        assert foodsort("correct", "--root", corrected, *words, "--withdraw")[0] == 0
        places.append(row(corrected, "soup.jpg")["path"])
    assert places == ["food/trip/soup.jpg", "food/trip/soup.jpg", "non_food/trip/soup.jpg", "food/trip/soup.jpg"]


@pytest.mark.parametrize(("folder", "place"), [("unsure", "unsure/trip/soup.jpg"), ("", "non_food/trip/soup.jpg")])
def test_withdraw_moves_an_unsure_photo_to_the_folder_of_unsure_photos(
    corrected: Path, foodsort: Foodsort, folder: str, place: str
) -> None:
    (corrected / "foodsort.toml").write_text(f'[folders]\nunsure = "{folder}"\n')
    execute(corrected, "UPDATE photos SET predicted_label = 'unsure' WHERE name = 'soup.jpg'")
    assert foodsort("correct", "--root", corrected, "non_food/trip", "--withdraw")[0] == 0
    assert (corrected / place).exists()
    assert (row(corrected, "soup.jpg")["path"], row(corrected, "soup.jpg")["label"]) == (place, "unsure")


def test_a_photo_without_a_persons_label_stays_and_is_reported(corrected: Path, foodsort: Foodsort) -> None:
    before = tree(corrected)
    code, out, err = foodsort("correct", "--root", corrected, "non_food/sea.jpg", "--withdraw")
    assert (code, err) == (1, f"foodsort: non_food/sea.jpg {NO_PERSON_LABEL}\n")
    assert out == "0 photos are without the newest label by a person; 1 could not be changed\n"
    assert tree(corrected) == before
    assert labels(corrected) == ["non_food"]


def test_correct_needs_either_label_or_withdraw(corrected: Path, foodsort: Foodsort) -> None:
    assert foodsort("correct", "--root", corrected, "non_food", "--withdraw", "--label", "food")[0] == 2
    assert foodsort("correct", "--root", corrected, "non_food")[0] == 2
    assert labels(corrected) == ["non_food"]


@pytest.mark.parametrize("point", ["begun", "taken", "arrived"])
@pytest.mark.parametrize("next_", ["run", "undo", "withdraw"])
def test_the_next_command_completes_a_killed_withdraw(
    corrected: Path, photo: Photo, foodsort: Foodsort, point: str, next_: str
) -> None:
    taken = corrected / "food/trip/soup.jpg"
    taken.write_bytes(b"somebody's")
    kill_at(point, "correct", "--root", corrected, "non_food/trip", "--withdraw")
    words = {
        "run": ("run", "--once"),
        "undo": ("undo", "--since", "2100-01-01"),
        "withdraw": ("correct", "--withdraw", "non_food/sea.jpg"),
    }[next_]
    code = foodsort(words[0], "--root", corrected, *words[1:])[0]
    assert code == (1 if next_ == "withdraw" else 0)  # which that photo has no label for
    assert photos(corrected) == {
        "food/trip/soup.jpg": b"somebody's",
        "food/trip/soup (2).jpg": photo(),
        "non_food/sea.jpg": photo("non_food"),
    }
    by_path = {row["path"]: (row["state"], row["label"], row["corrected_label"]) for row in rows(corrected)}
    assert by_path["food/trip/soup (2).jpg"] == ("filed", "food", None)
    assert labels(corrected) == []


@pytest.mark.parametrize("point", ["", "copied", "named", "arrived"])
def test_withdraw_moves_a_photo_to_another_filesystem(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, each_database: None, point: str
) -> None:
    (root / "foodsort.toml").write_text(f'[folders]\nfood = "{elsewhere}/food"\n')
    drop(root, "a.jpg", photo())
    run_once(root, foodsort)
    assert foodsort("correct", "--root", root, elsewhere / "food/a.jpg", "--label", "non_food")[0] == 0
    words = ("correct", "--root", root, "non_food/a.jpg", "--withdraw")
    if point:
        kill_at(point, *words)
    else:
        assert foodsort(*words)[0] == 0
    assert run_once(root, foodsort).startswith("0 photos sorted")
    assert (elsewhere / "food/a.jpg").read_bytes() == photo()
    assert photos(root) == {}
    assert [(row["state"], row["label"], row["path"]) for row in rows(root)] == [
        ("filed", "food", f"{elsewhere}/food/a.jpg")
    ]


def test_a_photo_without_permission_to_move_keeps_its_label_and_place(corrected: Path, foodsort: Foodsort) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    bare = ["--bounding-set=-dac_override,-dac_read_search,-fowner"]
    words = ["correct", "--root", str(corrected), "non_food/trip", "--withdraw"]
    before = row(corrected, "soup.jpg")
    (corrected / "non_food/trip").chmod(0o500)
    command = [*([setpriv, *bare] if setpriv else []), *COMMAND, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (corrected / "non_food/trip").chmod(0o700)
    assert (done.returncode, done.stderr) == (
        1,
        "foodsort: non_food/trip/soup.jpg cannot be moved: Permission denied\n",
    )
    assert row(corrected, "soup.jpg") == before
    assert labels(corrected) == ["non_food"]
    assert foodsort(*words)[0] == 0
    assert row(corrected, "soup.jpg")["path"] == "food/trip/soup.jpg"
