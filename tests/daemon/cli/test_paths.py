import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.queries.explanations import WHY_NOT_LABELLED
from tests.daemon.conftest import Foodsort, Photo

pytestmark = pytest.mark.slow

ODD = [
    b"a\nb.jpg",
    b"esc\x1b[31m.jpg",
    b"caf\xe9.jpg",
    b"back\\slash.jpg",
    b"not\\x41.jpg",
    b"-dash.jpg",
    b" spaces .jpg",
    "\u202eright.jpg".encode(),
    "\u05d0\u05d1.jpg".encode(),
    b"a[1].jpg",
    b"a1.jpg",
    b"a*.jpg",
    b"ab.jpg",
    b"tab\t.jpg",
]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces the stdin of the next command with lines."""

    def lines(*argument: str) -> None:
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(f"{line}\n" for line in argument).encode()))
        )

    return lines


@pytest.fixture
def odd_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with a photo of each odd name in food/."""
    for shade, name in enumerate(ODD):
        with open(os.path.join(os.fsencode(root / "inbox"), name), "wb") as file:
            file.write(photo("food", shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def shown(root: Path, foodsort: Foodsort, *words: str) -> list[str]:
    _, out, _ = foodsort("results", "--root", root, "--format", "jsonl", *words)
    return [json.loads(line)["path"] for line in out.splitlines()]


def names_in(folder: Path) -> set[bytes]:
    return set(os.listdir(os.fsencode(folder)))


def test_actions_accept_the_paths_that_results_prints(odd_root: Path, foodsort: Foodsort, stdin: Any) -> None:
    stdin(*shown(odd_root, foodsort))
    code, _, err = foodsort("correct", "--root", odd_root, "--label", "non_food", "-")
    assert (code, err) == (0, "")
    assert names_in(odd_root / "non_food") == {*ODD}
    stdin(*shown(odd_root, foodsort))
    code, _, err = foodsort("undo", "--root", odd_root, "-")
    assert (code, err) == (0, "")
    assert names_in(odd_root / "inbox") - {b".foodsort"} == {*ODD}
    stdin(*shown(odd_root, foodsort))
    code, out, err = foodsort("retry", "--root", odd_root, "-")
    assert (code, err) == (0, "")
    assert f"{len(ODD)} photos" in out


def test_each_path_that_results_shows_means_one_photo(odd_root: Path, foodsort: Foodsort) -> None:
    for path in shown(odd_root, foodsort):
        code, out, err = foodsort("undo", "--root", odd_root, "--dry-run", path)
        assert (code, err) == (0, "")
        assert out.splitlines()[0].startswith(f"{path} → ")
        assert out.splitlines()[1].startswith("1 photo would be")


def test_classify_accepts_its_own_output(odd_root: Path, foodsort: Foodsort, stdin: Any) -> None:
    words = ("classify", "--engine", "scripted", "--format", "json")
    before = foodsort(*words, odd_root / "food")[1]
    stdin(*(json.loads(line)["path"] for line in before.splitlines()))
    code, out, err = foodsort(*words, "-")
    assert (code, err, out) == (0, "", before)
    assert len(out.splitlines()) == len(ODD)


def test_empty_stdin_means_no_photos(odd_root: Path, foodsort: Foodsort, stdin: Any, photo: Photo) -> None:
    (odd_root / "inbox/broken.jpg").write_bytes(b"no picture")
    assert foodsort("run", "--root", odd_root, "--once")[0] == 0
    for words in (("retry",), ("undo",), ("correct", "--label", "food")):
        stdin()
        code, out, err = foodsort(*words, "--root", odd_root, "-")
        assert (code, err) == (0, "")
        assert out.startswith("0 photos")
    stdin()
    assert foodsort("classify", "--engine", "scripted", "-") == (0, "", "")


@pytest.fixture
def trips(root: Path, photo: Photo, foodsort: Foodsort, each_database: None) -> Path:
    for shade, name in enumerate(("trip/a.jpg", "trip/b.JPG", "trip/day/c.jpg", "d.jpg", "trip[1]/e.jpg")):
        (root / "inbox" / name).parent.mkdir(exist_ok=True)
        (root / "inbox" / name).write_bytes(photo("food", shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("food/trip/*.jpg", {"food/trip/a.jpg"}),
        ("food/trip/**.jpg", {"food/trip/a.jpg", "food/trip/day/c.jpg"}),
        ("food/**/*.jpg", {"food/trip/a.jpg", "food/trip/day/c.jpg", "food/d.jpg", "food/trip[1]/e.jpg"}),
        ("food/trip/d*", {"food/trip/day/c.jpg"}),
        ("food/trip/?.[jJ]*", {"food/trip/a.jpg", "food/trip/b.JPG"}),
        ("food/trip[1]/e.jpg", {"food/trip[1]/e.jpg"}),
        ("food/trip[1]", {"food/trip[1]/e.jpg"}),
        ("f*/d.jpg", {"food/d.jpg"}),
    ],
)
def test_a_pattern_matches_as_in_a_shell_in_the_root(
    trips: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, pattern: str, meant: set[str]
) -> None:
    for argument in (pattern, f"{trips}/{pattern}"):
        code, out, err = foodsort("undo", "--root", trips, "--dry-run", argument)
        assert (code, err) == (0, "")
        assert {line.partition(" → ")[0] for line in out.splitlines()[:-1]} == meant
    _, out, _ = foodsort("correct", "--root", trips, "--dry-run", "--label", "food", pattern)
    assert {*out.splitlines()[:-1]} == meant


def test_a_pattern_without_a_match_is_reported(trips: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("retry", "--root", trips, "food/*.png")
    assert code == 1
    assert "food/*.png: no photo matches this pattern" in err
    assert out.startswith("0 photos are in the inbox")


def test_a_list_read_twice_means_the_same_photos(root: Path, photo: Photo, foodsort: Foodsort, stdin: Any) -> None:
    for shade, name in enumerate(("photo[1].jpg", "photo1.jpg")):
        (root / "inbox" / name).write_bytes(photo("food", shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    words = ("correct", "--root", root, "--label", "non_food")
    for code, word in ((0, "-"), (1, "-"), (1, "food/photo[1].jpg")):
        stdin("food/photo[1].jpg")
        assert foodsort(*words, word)[0] == code
        assert (names_in(root / "food"), names_in(root / "non_food")) == ({b"photo1.jpg"}, {b"photo[1].jpg"})
    stdin("food/photo?.jpg")
    code, _, err = foodsort(*words, "-")
    assert (code, err.partition(";")[0]) == (1, "foodsort: food/photo?.jpg: the database has no photo at this path")


def test_a_printed_name_comes_before_a_literal_one(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    for name, label in (("lit\x1b.jpg", "food"), ("lit\\x1b.jpg", "non_food"), ("lit\\x41.jpg", "food")):
        Path(name).write_bytes(photo(label))
    for word in ("lit\\x1b.jpg", "lit\\x41.jpg"):
        assert foodsort("classify", "--engine", "scripted", word)[1].split()[0] == "food"


@pytest.mark.parametrize("state", ["failed", "failed/b*"])
def test_a_folder_without_matching_photos_has_a_reason(root: Path, foodsort: Foodsort, state: str) -> None:
    (root / "inbox/bill.pdf").write_bytes(b"%PDF")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    code, _, err = foodsort("correct", "--root", root, "--label", "food", state)
    assert (code, err) == (1, f"foodsort: {state}: failed/bill.pdf: {WHY_NOT_LABELLED['failed']}\n")


def test_characters_that_a_stream_cannot_encode_are_escaped(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/caf\u00e9 \u202e\U0001f363.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0

    def printed(*words: str) -> str:
        command = [sys.executable, "-m", "daemon", *words]
        ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
        return subprocess.run(command, env=ascii_only, capture_output=True, check=True).stdout.decode()

    path = printed("results", "--root", str(root)).splitlines()[-1].partition("food/")[2]
    assert path == r"caf\xc3\xa9 \xe2\x80\xae\xf0\x9f\x8d\xa3.jpg"
    assert "1 photo would be" in printed("undo", "--root", str(root), "--dry-run", f"food/{path}")
    seen = printed("classify", "--engine", "scripted", "--format", "json", str(root / "food"))
    assert json.loads(seen)["label"] == "food"


@pytest.mark.parametrize(
    "words",
    [("correct", "--label", "food", "\x1b[31m"), ("results", "--root", "\x1b[31m"), ("status", "--root", "\x1b[31m")],
)
def test_control_characters_in_arguments_are_escaped(root: Path, photo: Photo, foodsort: Foodsort, words: Any) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    code, out, err = foodsort(*words, *(() if "--root" in words else ("--root", root)))
    assert (code, "\x1b" in out + err, r"\x1b[31m" in err) == (1, False, True)
