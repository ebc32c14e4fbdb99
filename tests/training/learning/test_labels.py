from pathlib import Path

import pytest

from training.data.dataset import DatasetError
from training.learning.labels import LabelledPhoto, read, without_copies

HEADER = "path,label,split,source,id,sha256,predicted_label"


def photo(label: int = 1, *, is_audit: bool = False, asked: int = 1) -> LabelledPhoto:
    return LabelledPhoto("", label, is_audit, "", "", asked)


def test_a_manifest_of_the_daemon_is_read_whole(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "manifest.csv").write_text(
        f"{HEADER},taken_at,camera,asked\n"
        "a.jpg,food,training,person,1,,food,2026-07-01T18:30:00,Sony A7,2\n"
        "b.jpg,non_food,validation,person,2,,food,,,\n"
        "c.jpg,food,evaluation,person,3,,food,,,1\n"
        "d.jpg,non_food,training,person,4,,food,,,many\n"
    )
    found = read([tmp_path])
    assert found.photos == [
        LabelledPhoto(str(tmp_path / "a.jpg"), 1, False, "2026-07-01T18:30:00", "Sony A7", 2),
        LabelledPhoto(str(tmp_path / "b.jpg"), 0, False, "", "", 1),
        LabelledPhoto(str(tmp_path / "c.jpg"), 1, True, "", "", 1),
        LabelledPhoto(str(tmp_path / "d.jpg"), 0, False, "", "", 1),
    ]


def test_photos_that_have_been_moved_since_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "here.jpg").write_bytes(b"")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "moved.jpg")
    (tmp_path / "manifest.csv").write_text("path,label\nhere.jpg,food\ngone.jpg,food\nnever.jpg,food\n")
    assert [Path(one.path).name for one in read([tmp_path]).photos] == ["here.jpg"]


def test_other_layouts_and_several_data_sets_are_read(tmp_path: Path) -> None:
    for name in ("one/food/a.jpg", "one/non_food/b.jpg", "two/training/1_1.jpg", "two/evaluation/0_2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    photos = read([tmp_path / "one", tmp_path / "two"]).photos
    assert {(Path(one.path).name, one.label, one.is_audit) for one in photos} == {
        ("a.jpg", 1, False),
        ("b.jpg", 0, False),
        ("1_1.jpg", 1, False),
        ("0_2.jpg", 0, True),
    }


def test_no_photo_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\n")
    with pytest.raises(DatasetError, match="has no labelled photo to learn from; label some first"):
        read([tmp_path])
    with pytest.raises(DatasetError, match="does not exist"):
        read([tmp_path / "nowhere"])


def test_of_exact_copies_the_audit_photo_stays_else_the_most_asked_else_the_last() -> None:
    photos = [
        photo(1, asked=3),
        photo(0, is_audit=True),
        photo(1, asked=2),
        photo(0, asked=1),
        photo(1),
        photo(0),
        photo(1),
        photo(1),
    ]
    rows, contradictory = without_copies(photos, ["a", "a", "b", "b", "c", "c", "d", "d"])
    assert rows == [1, 2, 5, 7]
    assert contradictory == 3
