import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from training.data import dataset
from training.data.dataset import SPLITS, DatasetError, digest, read
from training.data.layout import Reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two photos in each split; all files differ."""
    for split in SPLITS:
        (tmp_path / "set" / split).mkdir(parents=True)
        for name in ("0_1.jpg", "1_1.jpg"):
            (tmp_path / "set" / split / name).write_text(f"{split} {name}")
    return tmp_path / "set"


def test_labels_and_splits_come_from_names_and_folders(folder: Path) -> None:
    (folder / "training/1_0.jpg").touch()
    frame = read(folder)
    assert list(frame.columns) == ["path", "label", "split", "source", "data_set"]
    assert set(frame["source"]) == {""}
    assert list(frame[["path", "label", "split"]].itertuples(index=False, name=None)) == [
        (str(folder / "training/0_1.jpg"), 0, "training"),
        (str(folder / "training/1_0.jpg"), 1, "training"),
        (str(folder / "training/1_1.jpg"), 1, "training"),
        (str(folder / "validation/0_1.jpg"), 0, "validation"),
        (str(folder / "validation/1_1.jpg"), 1, "validation"),
        (str(folder / "evaluation/0_1.jpg"), 0, "evaluation"),
        (str(folder / "evaluation/1_1.jpg"), 1, "evaluation"),
    ]


@pytest.mark.parametrize("name", ["0_x.JPG", "1_two words.jpeg", "0_a.b.png", "1_1.gif", "0_1.HEIC"])
def test_photos_are_recognized_by_extension(folder: Path, name: str) -> None:
    (folder / "evaluation" / name).touch()
    assert str(folder / "evaluation" / name) in list(read(folder)["path"])


@pytest.mark.parametrize("name", ["2_1.jpg", "01_1.jpg", "1_.jpg", "1.jpg", "1_1.txt", "1_1.jpg.part", "manifest.csv"])
def test_files_with_other_names_are_ignored(folder: Path, name: str) -> None:
    (folder / "evaluation" / name).touch()
    assert len(read(folder)) == 6


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_that_is_missing_is_named(folder: Path, split: str) -> None:
    shutil.rmtree(folder / split)
    with pytest.raises(DatasetError) as caught:
        read(folder)
    assert str(folder / split) in str(caught.value)
    assert "found labels none" in str(caught.value)


def test_a_folder_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"none does not exist"):
        read(folder / "none")


@pytest.mark.parametrize("label", [0, 1])
def test_a_split_without_one_of_the_labels_is_named(folder: Path, label: int) -> None:
    (folder / "validation" / f"{label}_1.jpg").unlink()
    with pytest.raises(DatasetError) as caught:
        read(folder)
    assert str(folder / "validation") in str(caught.value)
    assert f"found labels [{1 - label}]" in str(caught.value)


def test_only_the_requested_splits_have_to_exist(folder: Path) -> None:
    shutil.rmtree(folder / "training")
    assert set(read(folder, ("evaluation",))["split"]) == {"evaluation"}


def test_the_digest_does_not_depend_on_the_paths(folder: Path, tmp_path: Path) -> None:
    before = digest(read(folder))
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy/training/1_1.jpg").rename(tmp_path / "copy/training/1_another.jpg")
    assert digest(read(tmp_path / "copy")) == before
    assert digest(read(folder).iloc[::-1]) == before


def test_the_digest_changes_with_a_photos_bytes(folder: Path) -> None:
    before = digest(read(folder))
    (folder / "training/1_1.jpg").write_text("other")
    assert digest(read(folder)) != before


@pytest.mark.parametrize("moved", ["validation/0_9.jpg", "training/1_9.jpg"])
def test_the_digest_changes_with_a_photos_split_and_label(folder: Path, moved: str) -> None:
    (folder / "training/0_9.jpg").write_text("moves")
    before = digest(read(folder))
    (folder / "training/0_9.jpg").rename(folder / moved)
    assert digest(read(folder)) != before


def test_the_digest_counts_unreadable_photos(folder: Path) -> None:
    before = digest(read(folder))
    (folder / "training/1_9.jpg").touch()
    frame = read(folder)
    (folder / "training/1_9.jpg").unlink()
    assert digest(frame) != before
    assert dataset._sha256(str(folder / "training/1_9.jpg")) == "unreadable"


@pytest.fixture
def by_class(tmp_path: Path) -> Path:
    """The layout of Food-5K's Kaggle mirror."""
    for split in SPLITS:
        for name in ("food", "non_food"):
            (tmp_path / "kaggle" / split / name).mkdir(parents=True)
            (tmp_path / "kaggle" / split / name / "7.jpg").touch()
    return tmp_path / "kaggle"


def test_labels_come_from_a_folder_per_class_too(by_class: Path) -> None:
    frame = read(by_class, ("validation",))
    assert list(frame.drop(columns="data_set").itertuples(index=False, name=None)) == [
        (str(by_class / "validation/food/7.jpg"), 1, "validation", ""),
        (str(by_class / "validation/non_food/7.jpg"), 0, "validation", ""),
    ]


@pytest.mark.parametrize(("name", "is_photo"), [("a.HEIC", True), ("b.webp", True), ("Thumbs.db", False), ("c", False)])
def test_a_folder_per_class_holds_pictures_of_every_format_that_is_read(
    by_class: Path, name: str, is_photo: bool
) -> None:
    (by_class / "training/food" / name).touch()
    assert (str(by_class / "training/food" / name) in list(read(by_class)["path"])) == is_photo


def test_two_layouts_in_one_split_are_refused(by_class: Path) -> None:
    (by_class / "training/1_1.jpg").touch()
    with pytest.raises(
        DatasetError, match=r"training has both photos like 1_1\.jpg and folders of classes; move the photos"
    ):
        read(by_class)


def test_what_people_have_in_a_data_set_is_read_or_named(by_class: Path) -> None:
    for name in (
        "training/food/cakes/2024/8.jpg",
        "training/not food/9.mpo",
        "training/drinks/1.jpg",
        "training/food/.DS_Store",
        "training/1-dinner.jpg",
        "training/labels.txt",
        "train/food/7.jpg",
        "README.md",
        "1_1.jpg",
    ):
        (by_class / name).parent.mkdir(parents=True, exist_ok=True)
        (by_class / name).touch()
    os.mkfifo(by_class / "validation/food/fifo.jpg")
    (by_class / "validation/food/gone.jpg").symlink_to(by_class / "nowhere")
    (by_class / "manifest.csv").write_text("image;class\n1.jpg;cake\n")
    survey = dataset.survey(by_class)
    assert [
        (str(Path(path).relative_to(by_class)), label)
        for path, label, split in zip(*(survey.photos[name] for name in ("path", "label", "split")), strict=True)
        if split == "training"
    ] == [
        ("training/food/7.jpg", 1),
        ("training/food/cakes/2024/8.jpg", 1),
        ("training/non_food/7.jpg", 0),
        ("training/not food/9.mpo", 0),
    ]
    assert {(str(Path(path).relative_to(by_class)), reason) for path, reason in survey.left_out} == {
        ("1_1.jpg", Reason.OUTSIDE),
        ("README.md", Reason.NO_PICTURE),
        ("train/food/7.jpg", Reason.OUTSIDE),
        ("training/1-dinner.jpg", Reason.NAME_BESIDE_FOLDERS),
        ("training/drinks/1.jpg", Reason.NO_CLASS),
        ("training/food/.DS_Store", Reason.HIDDEN),
        ("training/labels.txt", Reason.NO_PICTURE),
        ("validation/food/fifo.jpg", Reason.NOT_REGULAR),
        ("validation/food/gone.jpg", Reason.NOT_REGULAR),
    }
    assert len(survey.notes) == 1
    assert "manifest.csv is ignored, because it is no manifest of foodsort: " in survey.notes[0]
    assert "missing: path" in survey.notes[0]


def test_names_with_other_separators_are_labels_at_any_depth(tmp_path: Path) -> None:
    for name in ("0-1.jpg", "1 1.jpg", "second batch/1-2.jpg"):
        (tmp_path / "training" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "training" / name).touch()
    assert list(read(tmp_path, ("training",))["label"]) == [0, 1, 1]


@pytest.mark.parametrize(
    "text", ["", "id,url\n1,http\n", "path,label\na.jpg,cake\nb.jpg,tea\n", "path,label\n\xff\n", "path;label\na;1\n"]
)
def test_the_manifest_of_another_program_is_ignored_with_a_note(by_class: Path, text: str) -> None:
    folder = by_class / "training"
    (folder / "manifest.csv").write_bytes(text.encode("latin-1"))
    survey = dataset.survey(folder, ("training",))
    assert list(survey.photos["label"]) == [1, 0]
    assert [note.partition(" is ignored")[0] for note in survey.notes] == [str(folder / "manifest.csv")]
    assert survey.left_out == []


def test_a_mistake_in_a_manifest_of_foodsort_is_named_by_its_line(by_class: Path) -> None:
    (by_class / "training/manifest.csv").write_text("path,label\nfood/7.jpg,food\nnon_food/7.jpg,nonfod\n")
    with pytest.raises(DatasetError, match=r"manifest\.csv, line 3: the label 'nonfod'"):
        read(by_class / "training", ("training",))


def test_an_error_names_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "training/cakes").mkdir(parents=True)
    (tmp_path / "training/cakes/1.jpg").touch()
    with pytest.raises(DatasetError, match=r"(?s)found labels none.*left out, in a folder that is no class: 1 file"):
        read(tmp_path, ("training",))


def test_a_fifo_is_no_data_set(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DatasetError, match="is neither a folder nor a table"):
        read(tmp_path / "fifo")


def test_a_manifest_beside_the_splits_provides_only_the_sources(folder: Path) -> None:
    (folder / "manifest.tsv").write_text("file\tlabel\tsource_repo\ntraining/0_1.jpg\t1\tweb\ngone.jpg\t7\tweb\n")
    frame = read(folder)
    with_source = frame[frame["source"] != ""]
    assert with_source[["path", "label", "source"]].values.tolist() == [[str(folder / "training/0_1.jpg"), 0, "web"]]
    assert len(frame) == 6


def test_a_manifest_in_a_folder_without_splits_is_the_data_set(folder: Path) -> None:
    (folder / "training").rename(folder / "photos")
    for split in SPLITS[1:]:
        shutil.rmtree(folder / split)
    (folder / "manifest.csv").write_text(
        "path,label,split\nphotos/0_1.jpg,food,training\nphotos/1_1.jpg,non_food,training\n"
    )
    frame = read(folder, ("training",))
    assert list(frame["label"]) == [1, 0]
    assert frame.equals(read(folder / "manifest.csv", ("training",)))


def test_a_manifest_that_lacks_a_label_is_named(folder: Path) -> None:
    (folder / "mine.csv").write_text("path,label,split\ntraining/0_1.jpg,0,training\n")
    with pytest.raises(DatasetError, match=r"mine\.csv must list training photos of both labels.*found labels \[0\]"):
        read(folder / "mine.csv", ("training",))


def test_the_root_is_the_folder_or_the_folder_of_the_manifest(folder: Path) -> None:
    (folder / "mine.csv").touch()
    assert dataset.root(folder) == dataset.root(folder / "mine.csv") == folder


def test_several_data_sets_are_one_and_each_keeps_its_splits(folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    for name in ("food/soup.jpg", "non_food/cup.jpg", "food/soup.txt"):
        (more / name).parent.mkdir(parents=True, exist_ok=True)
        (more / name).write_text(name)
    frame = read([folder, more])
    assert len(frame) == 8
    added = frame[6:]
    assert list(added["path"]) == [str(more / "food/soup.jpg"), str(more / "non_food/cup.jpg")]
    assert (list(added["label"]), set(added["split"])) == ([1, 0], {"training"})
    assert dataset.root([folder, more]) == tmp_path
    (more / "manifest.tsv").write_text("file\tlabel\tsource_repo\nfood/soup.jpg\t1\tkitchen\n")
    assert list(read([folder, more])["source"])[6:] == ["kitchen"]
    assert len(read([folder, more], ("evaluation",))) == 2
    with pytest.raises(DatasetError, match="is in two of the data sets"):
        read([folder, folder])


def test_whole_sources_of_further_data_sets_are_held_out() -> None:
    frame = pd.DataFrame(
        {
            "path": [f"{row}.jpg" for row in range(60)],
            "label": [row % 2 for row in range(60)],
            "split": ["training"] * 60,
            "source": [f"first {row % 5}" for row in range(20)] + [f"second {row % 10}" for row in range(40)],
            "data_set": [0] * 20 + [1] * 40,
        }
    )
    frame.loc[59, "source"] = ""
    held_out = dataset.hold_out(frame, 0.2, seed=1)
    moved = held_out[held_out["split"] == "validation"]
    assert len(set(moved["source"])) == 2
    assert set(moved["data_set"]) == {1}
    assert "" not in set(moved["source"])
    assert not set(moved["source"]) & set(held_out.loc[held_out["split"] == "training", "source"])
    pd.testing.assert_frame_equal(held_out, dataset.hold_out(frame, 0.2, seed=1))
    assert set(dataset.hold_out(frame, 0.0, seed=1)["split"]) == {"training"}
