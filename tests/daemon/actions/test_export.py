"""`foodsort export`: a data set from people's labels."""

import csv
import hashlib
import io
import os
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from daemon.actions.export import COLUMNS, SPLITS, split_of
from tests.daemon.conftest import Foodsort, Photo, mounted, tree
from tests.daemon.photos import drop, run_once
from tests.daemon.processes import COMMAND
from tests.daemon.rows import execute, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def labelled_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with two photos that a person labelled, one of them unlike the model, and two without a person's label."""
    for name, data in {
        "soup": photo(),
        "cake": photo(shade=1),
        "sea": photo("non_food"),
        "tea": photo(shade=2),
    }.items():
        drop(root, f"trip/{name}.jpg", data)
        run_once(root, foodsort)
    assert foodsort("correct", "--root", root, "food/trip/cake.jpg", "--label", "non_food")[0] == 0
    assert foodsort("correct", "--root", root, "food/trip/soup.jpg", "--label", "food")[0] == 0
    return root


def table(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_labelled_photos_are_copied_and_listed(
    labelled_root: Path, photo: Photo, foodsort: Foodsort, out: Path
) -> None:
    before = tree(labelled_root)
    code, printed, err = foodsort("export", "--root", labelled_root, "--out", out)
    assert (code, err) == (0, "")
    assert printed.splitlines()[0] == (
        f"2 photos are in {out}: 1 food and 1 non_food in training, 0 food and 0 non_food in validation, "
        "0 food and 0 non_food in evaluation"
    )
    assert tree(labelled_root) == before
    manifest = tree(out).pop("manifest.csv")
    assert tree(out) == {"manifest.csv": manifest, "training/0_2.jpg": photo(shade=1), "training/1_1.jpg": photo()}
    exported = {row["path"]: row for row in table(out)}
    assert tuple(exported["training/1_1.jpg"]) == COLUMNS
    assert exported["training/0_2.jpg"] == {
        "path": "training/0_2.jpg",
        "label": "non_food",
        "split": "training",
        "source": "person",
        "id": "2",
        "sha256": hashlib.sha256(photo(shade=1)).hexdigest(),
        "predicted_label": "food",
    }
    assert [path.name for path in out.parent.iterdir() if path.name.startswith("data")] == ["data"]


def test_corrected_exports_only_mistakes_of_the_model(labelled_root: Path, foodsort: Foodsort, out: Path) -> None:
    out.mkdir()
    assert foodsort("export", "--root", labelled_root, "--out", out, "--corrected")[0] == 0
    assert [row["path"] for row in table(out)] == ["training/0_2.jpg"]


def test_the_bytes_determine_the_split(root: Path, photo: Photo, foodsort: Foodsort, out: Path) -> None:
    for shade in range(40):
        drop(root, f"{shade}.jpg", photo(shade=4 * shade))
    run_once(root, foodsort)
    foodsort("correct", "--root", root, "food", "--label", "food")
    code, printed, _ = foodsort("export", "--root", root, "--out", out, "--split")
    assert code == 0
    assert printed.splitlines()[1].endswith("training, validation, evaluation: label more")
    exported = table(out)
    assert len(exported) == 40
    assert {row["split"] for row in exported} == set(SPLITS)
    for row in exported:
        data = (out / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["path"].split("/")[0] == row["split"] == split_of(row["sha256"])
    ids = {row["id"] for split in SPLITS for row in [row for row in exported if row["split"] == split][::2]}
    half = [row["path"] for row in rows(root) if str(row["id"]) in ids]
    foodsort("correct", "--root", root, *half, "--label", "non_food")
    _, printed, _ = foodsort("export", "--root", root, "--out", out.with_name("my data"), "--split")
    assert printed.splitlines()[1] == f"train with: foodsort train --data '{out.with_name('my data')}' --out BUNDLE"


def test_the_splits_have_80_10_and_10_percent() -> None:
    digests = [f"{number:064x}" for number in range(1000)]
    assert [sum(split_of(digest) == split for digest in digests) for split in SPLITS] == [800, 100, 100]


def test_copies_are_exported_once_with_the_latest_label(
    root: Path, photo: Photo, foodsort: Foodsort, out: Path
) -> None:
    for name in ("a", "b"):
        drop(root, f"{name}.jpg", photo())
        run_once(root, foodsort)
    foodsort("correct", "--root", root, "food/b.jpg", "--label", "food")
    foodsort("correct", "--root", root, "food/a.jpg", "--label", "non_food")
    (root / "non_food/a.jpg").unlink()  # then the other copy is taken
    assert foodsort("export", "--root", root, "--out", out)[0] == 0
    assert [(row["path"], row["label"]) for row in table(out)] == [("training/0_2.jpg", "non_food")]


def test_the_bytes_determine_the_extension(root: Path, foodsort: Foodsort, out: Path) -> None:
    for form in ("PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        file = io.BytesIO()
        Image.new("RGB", (64, 64), (200, 9, 40)).save(file, form)
        drop(root, f"{form}.jpg\n", file.getvalue())
    run_once(root, foodsort)
    foodsort("correct", "--root", root, "food", "--label", "food")
    assert foodsort("export", "--root", root, "--out", out)[0] == 0
    endings = {row["path"].rpartition(".")[2] for row in table(out)}
    assert endings == {"png", "webp", "gif", "bmp", "tif", "avif"}


def test_missing_and_replaced_photos_are_reported_and_the_others_are_exported(
    labelled_root: Path, photo: Photo, foodsort: Foodsort, out: Path
) -> None:
    drop(labelled_root, "more.jpg", photo(shade=7))
    run_once(labelled_root, foodsort)
    foodsort("correct", "--root", labelled_root, "food", "--label", "food")
    (labelled_root / "food/trip/soup.jpg").unlink()
    (labelled_root / "food/trip/tea.jpg").write_bytes(photo(shade=8))
    (labelled_root / "food/more.jpg").unlink()
    os.mkfifo(labelled_root / "food/more.jpg")
    code, printed, err = foodsort("export", "--root", labelled_root, "--out", out)
    assert code == 1
    assert "; 3 could not be exported" in printed
    assert sorted(err.splitlines()) == [
        "foodsort: food/more.jpg is no longer the photo that was put there",
        "foodsort: food/trip/soup.jpg is no longer there",
        "foodsort: food/trip/tea.jpg is no longer the photo that was put there",
    ]
    assert {name for name in tree(out) if name != "manifest.csv"} == {"training/0_2.jpg"}


def test_export_does_not_follow_a_link_in_place_of_a_folder(labelled_root: Path, foodsort: Foodsort, out: Path) -> None:
    (labelled_root / "food/trip").rename(labelled_root / "aside")
    (labelled_root / "food/trip").symlink_to(labelled_root / "aside")
    code, _, err = foodsort("export", "--root", labelled_root, "--out", out)
    assert code == 1
    assert err.startswith("foodsort: food/trip/soup.jpg cannot be read: ")


def test_an_undone_photo_keeps_its_label_and_is_exported(labelled_root: Path, foodsort: Foodsort, out: Path) -> None:
    assert foodsort("undo", "--root", labelled_root, "food/trip/soup.jpg")[0] == 0
    assert foodsort("export", "--root", labelled_root, "--out", out)[0] == 0
    assert len(table(out)) == 2


def test_export_refuses_used_folders_and_folders_of_the_root(
    labelled_root: Path, foodsort: Foodsort, out: Path
) -> None:
    before = tree(labelled_root)
    out.mkdir()
    (out / "notes.txt").write_text("keep me")
    assert "exists already; name a new folder" in foodsort("export", "--root", labelled_root, "--out", out)[2]
    assert "exists already" in foodsort("export", "--root", labelled_root, "--out", out / "notes.txt")[2]
    (out / "notes.txt").unlink()
    for place in ("inbox", "inbox/data", "food/data"):
        code, _, err = foodsort("export", "--root", labelled_root, "--out", labelled_root / place)
        assert (code, "is where photos are sorted" in err) == (1, True)
    (out.parent / "link").symlink_to(labelled_root / "inbox")
    assert foodsort("export", "--root", labelled_root, "--out", out.parent / "link/data")[0] == 1
    assert tree(labelled_root) == before
    assert list(out.iterdir()) == []


def test_without_a_label_nothing_is_written(root: Path, photo: Photo, foodsort: Foodsort, out: Path) -> None:
    drop(root, "a.jpg", photo())
    run_once(root, foodsort)
    code, printed, err = foodsort("export", "--root", root, "--out", out)
    assert (code, printed) == (1, "")
    assert err == "foodsort: there is no such photo to export; `foodsort correct` labels photos\n"
    foodsort("correct", "--root", root, "food", "--label", "food")
    execute(root, "UPDATE photos SET state = 'correcting'")
    assert foodsort("export", "--root", root, "--out", out)[0] == 1
    assert [path.name for path in out.parent.iterdir()] == ["root"]


def test_a_killed_export_leaves_no_data_set(labelled_root: Path, foodsort: Foodsort, out: Path) -> None:
    cake = labelled_root / "non_food/trip/cake.jpg"
    cake.unlink()
    os.mkfifo(cake)
    kill = f"lambda stat: os.kill(os.getpid(), {signal.SIGKILL:d})"
    stuck = f"import daemon.actions.export as e, os, signal; e.dirfd.is_regular = {kill}"
    words = ["export", "--root", str(labelled_root), "--out", str(out)]
    command = [COMMAND[0], "-c", f"{stuck}\nimport sys; sys.argv[1:] = {words!r}\nfrom daemon.cli import app; app()"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert not out.exists()
    code, _, err = foodsort("export", "--root", labelled_root, "--out", out)
    assert (code, "data.unfinished exists: another export is writing it, or one was interrupted" in err) == (1, True)
    cake.unlink()
    (out.parent / "data.unfinished/manifest.csv").unlink()
    (out.parent / "data.unfinished/training").rmdir()
    (out.parent / "data.unfinished").rmdir()
    assert foodsort("export", "--root", labelled_root, "--out", out)[0] == 1
    assert len(table(out)) == 1


@pytest.mark.system
def test_a_full_disk_leaves_nothing(labelled_root: Path, tmp_path: Path, foodsort: Foodsort) -> None:
    Image.new("RGB", (512, 512), (200, 1, 40)).save(labelled_root / "inbox/big.bmp")
    run_once(labelled_root, foodsort)
    foodsort("correct", "--root", labelled_root, "food", "--label", "food")
    with mounted(tmp_path / "small", "size=128k") as small:
        code, printed, err = foodsort("export", "--root", labelled_root, "--out", small / "data")
        assert (code, printed, err) == (1, "", "foodsort: No space left on device\n")
        assert list(small.iterdir()) == []


def test_an_invalid_label_in_the_database_is_not_exported(labelled_root: Path, foodsort: Foodsort, out: Path) -> None:
    execute(labelled_root, "INSERT INTO reviews (photo_id, label, reviewed_at) VALUES (1, 'unsure', '2026')")
    assert foodsort("export", "--root", labelled_root, "--out", out)[0] == 0
    assert [row["id"] for row in table(out)] == ["2"]
