"""Companions travel with their photos, from the inbox to the folders and back, with real files and rows."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.processes import kill_at, kill_run_at
from tests.programs.audit import Audit

VIDEO = b"\0\0\0\x14ftypqt  \0\0\0\0qt  a video"
SIDECAR = b"<x:xmpmeta/>"


@pytest.fixture(autouse=True)
def wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__COMPANION_S", "60")


def tree(root: Path) -> set[str]:
    """The files that people see."""
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {
        str(path)
        for path in files
        if not any(part.startswith(".") for part in path.parts) and not path.name.startswith("foodsort")
    }


def companions(root: Path) -> list[tuple[str, str, str]]:
    """Path, state and digest of each row, by path."""
    with closing(sqlite3.connect(root / "foodsort.db")) as database:
        return database.execute("SELECT path, state, sha256 FROM companions ORDER BY path").fetchall()


def row_of(content: bytes, path: str, state: str = "filed") -> tuple[str, str, str]:
    return path, state, hashlib.sha256(content).hexdigest()


def run(foodsort: Foodsort, root: Path) -> None:
    code, _, errors = foodsort("run", "--root", root, "--once")
    assert code == 0, errors


def drop(root: Path, name: str, content: bytes) -> None:
    path = root / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_companions_move_beside_their_photo(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "trip/IMG_1.MOV", VIDEO)
    drop(root, "trip/IMG_1.JPG", photo("food"))
    drop(root, "trip/IMG_1.JPG.xmp", SIDECAR)
    drop(root, "IMG_1.MOV", b"of no photo")
    run(foodsort, root)
    assert tree(root) == {
        "food/trip/IMG_1.JPG",
        "food/trip/IMG_1.JPG.xmp",
        "food/trip/IMG_1.MOV",
        "failed/IMG_1.MOV",
        "failed/IMG_1.MOV.error.json",
    }
    assert companions(root) == [
        row_of(SIDECAR, "food/trip/IMG_1.JPG.xmp"),
        row_of(VIDEO, "food/trip/IMG_1.MOV"),
    ]


def test_a_companion_that_comes_later_follows(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("non_food"))
    run(foodsort, root)
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    assert tree(root) == {"non_food/IMG_1.JPG", "non_food/IMG_1.MOV"}


def test_a_family_gets_one_new_name(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade in range(3):
        drop(root, "IMG_1.JPG", photo("food", shade))
        drop(root, "IMG_1.MOV", VIDEO + b"%d" % shade)
        run(foodsort, root)
    assert tree(root) == {
        f"food/IMG_1{number}.{ending}" for number in ("", " (2)", " (3)") for ending in ("JPG", "MOV")
    }
    for shade, number in enumerate(("", " (2)", " (3)")):
        assert (root / f"food/IMG_1{number}.MOV").read_bytes() == VIDEO + b"%d" % shade


def test_a_photo_does_not_move_beside_the_companion_of_another(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    drop(root, "IMG_1.HEIC", photo("food", 1))
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    assert tree(root) == {"food/IMG_1.JPG", "food/IMG_1.MOV", "food/IMG_1 (2).HEIC", "food/IMG_1 (2).MOV"}


def test_undo_and_retry_take_companions_along(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "a/IMG_1.JPG", photo("food"))
    drop(root, "a/IMG_1.MOV", VIDEO)
    run(foodsort, root)
    assert foodsort("undo", "--root", root, "food/a/IMG_1.JPG")[0] == 0
    assert tree(root) == {"inbox/a/IMG_1.JPG", "inbox/a/IMG_1.MOV"}
    assert companions(root) == [row_of(VIDEO, "inbox/a/IMG_1.MOV")]
    run(foodsort, root)
    assert tree(root) == {"inbox/a/IMG_1.JPG", "inbox/a/IMG_1.MOV"}
    assert foodsort("retry", "--root", root, "inbox/a/IMG_1.JPG")[0] == 0
    run(foodsort, root)
    assert tree(root) == {"food/a/IMG_1.JPG", "food/a/IMG_1.MOV"}
    assert companions(root) == [row_of(VIDEO, "food/a/IMG_1.MOV")]


def test_an_undone_family_gets_one_new_name_in_the_inbox(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    drop(root, "IMG_1.JPG", photo("food", 1))
    assert foodsort("undo", "--root", root, "food/IMG_1.JPG")[0] == 0
    assert tree(root) == {"inbox/IMG_1.JPG", "inbox/IMG_1 (2).JPG", "inbox/IMG_1 (2).MOV"}
    run(foodsort, root)
    assert tree(root) == {"food/IMG_1.JPG", "inbox/IMG_1 (2).JPG", "inbox/IMG_1 (2).MOV"}
    assert foodsort("retry", "--root", root, "inbox/IMG_1 (2).JPG")[0] == 0
    run(foodsort, root)
    assert tree(root) == {"food/IMG_1.JPG", "food/IMG_1 (2).JPG", "food/IMG_1 (2).MOV"}
    assert companions(root) == [row_of(VIDEO, "food/IMG_1 (2).MOV")]


def test_a_correction_takes_companions_along(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    (root / "non_food/IMG_1.MOV").write_bytes(b"somebody's")
    assert foodsort("correct", "--root", root, "food/IMG_1.JPG", "--label", "non_food")[0] == 0
    assert tree(root) == {"non_food/IMG_1 (2).JPG", "non_food/IMG_1 (2).MOV", "non_food/IMG_1.MOV"}
    assert companions(root) == [row_of(VIDEO, "non_food/IMG_1 (2).MOV")]


def test_a_failed_photo_keeps_its_companions_until_it_is_deleted(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo()[:-40])
    drop(root, "IMG_1.xmp", SIDECAR)
    run(foodsort, root)
    assert tree(root) == {"failed/IMG_1.JPG", "failed/IMG_1.JPG.error.json", "failed/IMG_1.xmp"}
    assert foodsort("delete", "--root", root, "--yes", "failed/IMG_1.JPG")[0] == 0
    assert tree(root) == set()
    assert companions(root) == [row_of(SIDECAR, "failed/IMG_1.xmp", "deleted")]


def test_an_edited_sidecar_moves_too(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.xmp", SIDECAR)
    run(foodsort, root)
    (root / "food/IMG_1.xmp").write_bytes(b"edited")
    assert foodsort("undo", "--root", root, "food/IMG_1.JPG")[0] == 0
    assert companions(root) == [row_of(b"edited", "inbox/IMG_1.xmp")]


def test_a_companion_that_is_gone_does_not_hold_its_photo(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.xmp", SIDECAR)
    run(foodsort, root)
    (root / "food/IMG_1.xmp").unlink()
    code, _, errors = foodsort("undo", "--root", root, "food/IMG_1.JPG")
    assert "its companion food/IMG_1.xmp is no longer there" in errors
    assert code == 1
    assert tree(root) == {"inbox/IMG_1.JPG"}
    assert companions(root) == [row_of(SIDECAR, "food/IMG_1.xmp", "missing")]


def test_videos_and_documents_have_a_folder_of_their_own(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__OTHER", "other")
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    drop(root, "film.mp4", VIDEO)
    drop(root, "a/letter.pdf", b"%PDF-1.7")
    run(foodsort, root)
    assert tree(root) == {"food/IMG_1.JPG", "food/IMG_1.MOV", "other/film.mp4", "other/a/letter.pdf"}
    with closing(sqlite3.connect(root / "foodsort.db")) as database:
        rows = database.execute(
            "SELECT path, state, label, error_kind, companions FROM results ORDER BY path"
        ).fetchall()
    assert rows == [
        ("food/IMG_1.JPG", "filed", "food", None, 1),
        ("other/a/letter.pdf", "other", None, None, 0),
        ("other/film.mp4", "other", None, None, 0),
    ]
    assert foodsort("undo", "--root", root, "other/a/letter.pdf")[0] == 0
    assert "inbox/a/letter.pdf" in tree(root)


def test_companions_can_be_turned_off(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__COMPANIONS", "false")
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    run(foodsort, root)
    assert tree(root) == {"food/IMG_1.JPG", "failed/IMG_1.MOV", "failed/IMG_1.MOV.error.json"}


def test_a_dry_run_names_companions(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    _, _, errors = foodsort("run", "--root", root, "--once", "--dry-run")
    assert "would follow its photo" in errors
    assert tree(root) == {"inbox/IMG_1.JPG", "inbox/IMG_1.MOV"}


POINTS = [
    *(f"claimed:{number}" for number in (1, 2, 3)),
    *(f"recorded:{number}" for number in (1, 2, 3)),
    *(f"moved:{number}" for number in (1, 2, 3)),
    *(f"synced:{number}" for number in (1, 2, 3)),
    *(f"finished:{number}" for number in (1, 2, 3)),
]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_parts_no_companion(root: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    files = {"a/IMG_1.JPG": photo("food"), "a/IMG_1.MOV": VIDEO, "a/IMG_1.xmp": SIDECAR}
    for name, content in files.items():
        drop(root, name, content)
    kill_run_at(root, point)
    run(foodsort, root)
    audit = Audit(root, tuple(root / name for name in ("food", "non_food", "failed")))
    assert audit.problems(files.values()) == []
    assert tree(root) == {f"food/{name}" for name in files}


@pytest.mark.parametrize("point", ["begun", "taken", "taken:2", "taken:3", "arrived", "arrived:2", "arrived:3"])
@pytest.mark.parametrize(
    "words",
    [
        ["undo", "food/a/IMG_1.JPG"],
        ["correct", "food/a/IMG_1.JPG", "--label", "non_food"],
        ["delete", "failed/a/cut.JPG", "--yes"],
    ],
)
def test_a_killed_action_is_completed_for_companions_too(
    root: Path, photo: Photo, foodsort: Foodsort, words: list[str], point: str
) -> None:
    name = "a/cut" if words[0] == "delete" else "a/IMG_1"
    image = photo()[:-40] if words[0] == "delete" else photo()
    files = {f"{name}.JPG": image, f"{name}.MOV": VIDEO, f"{name}.xmp": SIDECAR}
    for path, content in files.items():
        drop(root, path, content)
    run(foodsort, root)
    kill_at(point, words[0], "--root", root, *words[1:])
    run(foodsort, root)
    audit = Audit(root, tuple(root / folder for folder in ("food", "non_food", "failed")))
    assert audit.problems(files.values()) == []
    folder = {"undo": "inbox/", "correct": "non_food/"}.get(words[0])
    assert tree(root) == ({f"{folder}{path}" for path in files} if folder else set())


def test_a_companion_on_another_filesystem_is_copied_and_checked(
    root: Path, elsewhere: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__FOOD", str(elsewhere / "food"))
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    for point in ("copied:2", "named"):
        kill_run_at(root, point)
    run(foodsort, root)
    assert (elsewhere / "food/IMG_1.MOV").read_bytes() == VIDEO
    audit = Audit(root, (elsewhere / "food", root / "non_food", root / "failed"))
    assert audit.problems([photo("food"), VIDEO]) == []


def test_repair_knows_companions(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for name in ("a", "b", "c"):
        drop(root, f"{name}.JPG", photo("food", ord(name)))
        drop(root, f"{name}.MOV", VIDEO + name.encode())
    run(foodsort, root)
    (root / "food/a.MOV").unlink()
    (root / "non_food/b.JPG").write_bytes((root / "food/b.JPG").read_bytes())
    (root / "food/b.JPG").unlink()
    (root / "food/b.MOV").rename(root / "non_food/b.MOV")
    (root / "food/c.xmp").write_bytes(SIDECAR)
    code, out, errors = foodsort("repair", "--root", root, "--dry-run")
    assert (code, out.splitlines()[-1]) == (
        0,
        "would be: 0 added, 0 missing, 0 merged, 1 moved, 0 changed; 2 unchanged; companions: 1 added, 2 missing",
    ), errors
    code, out, errors = foodsort("repair", "--root", root)
    assert out.splitlines()[-1].endswith("companions: 1 added, 1 missing, 1 moved"), errors
    assert companions(root) == [
        row_of(VIDEO + b"a", "food/a.MOV", "missing"),
        row_of(VIDEO + b"c", "food/c.MOV"),
        row_of(SIDECAR, "food/c.xmp"),
        row_of(VIDEO + b"b", "non_food/b.MOV"),
    ]
    assert foodsort("doctor", "--root", root, "--full")[1].count("rows and all files agree") == 1
    (root / "foodsort.db").unlink()
    assert foodsort("repair", "--root", root)[0] == 0
    assert [path for path, _, _ in companions(root)] == ["food/c.MOV", "food/c.xmp", "non_food/b.MOV"]


def test_results_lists_companions(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "IMG_1.JPG", photo("food"))
    drop(root, "IMG_1.MOV", VIDEO)
    drop(root, "other.jpg", photo("non_food"))
    run(foodsort, root)
    rows = json.loads(foodsort("results", "--root", root, "--companions", "--format", "json")[1])
    assert [(row["photo"], row["path"], row["state"], row["size_bytes"]) for row in rows] == [
        ("food/IMG_1.JPG", "food/IMG_1.MOV", "filed", len(VIDEO))
    ]
    assert "food/IMG_1.MOV" in foodsort("results", "--root", root, "--companions")[1]
    assert (
        foodsort("results", "--root", root, "--companions", "--label", "non_food", "--format", "csv")[1].count("\n")
        == 1
    )


@pytest.mark.usefixtures("each_database")
def test_each_database_keeps_families_together(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "a/IMG_1.MOV", VIDEO)
    kill_run_at(root, "claimed")
    drop(root, "a/IMG_1.JPG", photo("food"))
    for point in ("recorded:2", "moved"):
        kill_run_at(root, point)
    run(foodsort, root)
    assert tree(root) == {"food/a/IMG_1.JPG", "food/a/IMG_1.MOV"}
    kill_at("taken:2", "undo", "--root", root, "food/a/IMG_1.JPG")
    run(foodsort, root)
    assert tree(root) == {"inbox/a/IMG_1.JPG", "inbox/a/IMG_1.MOV"}
    assert foodsort("retry", "--root", root, "inbox/a/IMG_1.JPG")[0] == 0
    run(foodsort, root)
    assert foodsort("correct", "--root", root, "food/a/IMG_1.JPG", "--label", "non_food")[0] == 0
    assert tree(root) == {"non_food/a/IMG_1.JPG", "non_food/a/IMG_1.MOV"}
    rows = json.loads(foodsort("results", "--root", root, "--companions", "--format", "json")[1])
    assert [(row["path"], row["state"]) for row in rows] == [("non_food/a/IMG_1.MOV", "filed")]
    (root / "non_food/a/IMG_1.MOV").unlink()
    assert foodsort("repair", "--root", root)[0] == 0
    rows = json.loads(foodsort("results", "--root", root, "--companions", "--format", "json")[1])
    assert [(row["path"], row["state"]) for row in rows] == [("non_food/a/IMG_1.MOV", "missing")]
