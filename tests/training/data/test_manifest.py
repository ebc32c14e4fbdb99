from pathlib import Path

import pytest

from training.data.manifest import DatasetError, read, read_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b, c.jpg", "d.jpg"):
        (tmp_path / "photos" / name).touch()
    return tmp_path


def write_manifest(folder: Path, text: str, name: str = "m.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_manifest_lists_photos_relative_to_itself_in_its_order(folder: Path) -> None:
    text = (
        'split,path,label,source,note\ntraining,photos/d.jpg,food,web,x\nevaluation,"./photos/b, c.jpg",0,,\n'
        f"training,{folder / 'photos/a.jpg'},non_food\n"
    )
    frame = read(write_manifest(folder, text))
    assert list(frame.columns) == ["path", "label", "split", "source"]
    assert list(frame.itertuples(index=False, name=None)) == [
        (str(folder / "photos/d.jpg"), 1, "training", "web"),
        (str(folder / "photos/b, c.jpg"), 0, "evaluation", ""),
        (str(folder / "photos/a.jpg"), 0, "training", ""),
    ]


def test_tabs_and_a_byte_order_mark_are_accepted(folder: Path) -> None:
    text = "\ufeffpath\tlabel\tsplit\nphotos/b, c.jpg\t1\ttraining\n"
    assert read(write_manifest(folder, text, "m.tsv"))["path"].tolist() == [str(folder / "photos/b, c.jpg")]


def test_only_the_requested_splits_are_read_and_have_to_exist(folder: Path) -> None:
    text = "path,label,split\nphotos/a.jpg,1,evaluation\ngone.jpg,1,training\n"
    assert len(read(write_manifest(folder, text), ("evaluation",))) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("photos/d.jpg,1,test", "the split 'test' must be one of training, validation, evaluation"),
        ("photos/d.jpg,2,training", "the label '2' must be 1 or food, 0 or non_food"),
        ("photos/d.jpg", "the split '' must be one of"),
        ("photos/e.jpg,1,training", "there is no file '.*photos/e.jpg'; paths are relative to the manifest's folder"),
        ("photos/../photos/a.jpg,1,validation", "'photos/../photos/a.jpg' is already in line 2; delete one"),
    ],
)
def test_a_bad_row_is_named_by_its_line(folder: Path, row: str, message: str) -> None:
    manifest = write_manifest(folder, f"path,label,split\nphotos/a.jpg,1,training\n{row}\n")
    with pytest.raises(DatasetError, match=rf"m\.csv, line 3: {message}"):
        read(manifest)


def test_missing_columns_are_named(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"m\.csv, line 1 must name the columns; missing: label$"):
        read(write_manifest(folder, "path,kind\nphotos/a.jpg,1\n"))


def test_a_file_that_is_not_a_table_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"its name must end in \.csv or \.tsv"):
        read(write_manifest(folder, "path,label,split\n", "m.xlsx"))
    (folder / "m.csv").write_bytes(b"path,label,split\n\xff\xfe,1,training\n")
    with pytest.raises(DatasetError, match=r"m\.csv is not a table in UTF-8 .* save it again"):
        read(folder / "m.csv")


def test_sources_need_only_a_path_and_a_source(folder: Path) -> None:
    manifest = write_manifest(folder, "file\tsource_repo\nphotos/a.jpg\tweb\nphotos/d.jpg\n", "m.tsv")
    assert read_sources(manifest) == {str(folder / "photos/a.jpg"): "web", str(folder / "photos/d.jpg"): ""}
    assert read_sources(write_manifest(folder, "file\na.jpg\n")) == {str(folder / "a.jpg"): ""}


def test_without_a_column_split_all_photos_are_for_training(folder: Path) -> None:
    frame = read(write_manifest(folder, "path,label\nphotos/a.jpg,1\n"))
    assert list(frame["split"]) == ["training"]
